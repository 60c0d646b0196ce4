import { openCaseKey, openCasesPrefix } from "../evidence/keys.ts";
import type { OpenMarker } from "../evidence/schemas/case.ts";
import type { Artefact, EvidenceStore } from "../evidence/store.ts";
import type { PodTarget, Target } from "../target/target.ts";
import type { CaseRef } from "./case.ts";

/*
 * Who has a target is decided by conditional writes of markers. The first one has the name. A name
 * is used again by the next pod of a StatefulSet, so an alert that knows something else of its target
 * than the alert that took the name marks that beside it, and acts; what both are is found out in the
 * cluster, where the proven UID decides which of them goes on (claim.ts).
 */

type Markers = Pick<EvidenceStore, "putOnce" | "read" | "list" | "free">;

/** A marker, and where it lies. */
export interface Held {
  readonly key: string;
  readonly marker: OpenMarker;
}

const MINUTE_MS = 60_000;
/**
 * For how long an alert that names neither UID nor container is taken to mean what the others did
 * that named neither. After that one of them looks again who bears the name.
 */
const SAME_NAME_FOR_MS = { pod: 15 * MINUTE_MS, namespace: 24 * 60 * MINUTE_MS } as const;

/** What tells an alert's target from others of its name; alerts of one identity share one fate. */
export function identityOf({ target, execution }: Pick<OpenMarker, "target" | "execution">) {
  if (target.uid !== null) return uidIdentity(target.uid);
  if (target.kind === "pod" && target.containerId !== null) {
    return containerIdentity(target.containerId);
  }
  const span = SAME_NAME_FOR_MS[target.kind];
  const since = new Date(Math.floor(Date.parse(execution.startedAt) / span) * span);
  return `at.${since.toISOString().slice(0, 16).replaceAll(/[-:]/g, "")}`;
}

export function uidIdentity(uid: string): string {
  return `uid.${uid}`;
}

/** Falco shortens the ids of containers to twelve digits. */
export function containerIdentity(containerId: string): string {
  return `container.${containerId.slice(0, 12)}`;
}

const PROVEN = "@proven.";

/** True for the one marker that a case has once its target is proven. */
export function isProvenKey(key: string): boolean {
  return key.includes(PROVEN);
}

/** The marker of what the target was proven to be: whoever has it acts, and nobody else. */
export function provenKey(target: Target, uid: string): string {
  return openCaseKey(target, `${PROVEN.slice(1)}${uid}`);
}

/** Takes the target's name or, where that means something else, its identity. */
export async function takeMarker(own: OpenMarker, store: Pick<Markers, "putOnce">): Promise<Held> {
  const identity = identityOf(own);
  const named = await take(openCaseKey(own.target), own, store);
  if (named.marker.case.id === own.case.id || identityOf(named.marker) === identity) return named;
  return take(openCaseKey(own.target, identity), own, store);
}

async function take(key: string, own: OpenMarker, store: Pick<Markers, "putOnce">): Promise<Held> {
  const { document } = await store.putOnce(key, own);
  return { key, marker: document };
}

/** The keys that `takeMarker` may have taken. */
export function takenKeys(own: OpenMarker): readonly string[] {
  return [openCaseKey(own.target), openCaseKey(own.target, identityOf(own))];
}

/**
 * Whether a case is still open, asked of a marker by which it was found. A proven one is asked for its
 * claim: what else leads to the case may be put there, and taken away again, after it was released.
 */
export async function isOpen(
  { key, marker }: Held,
  store: Pick<Markers, "read">,
): Promise<boolean> {
  const { target, proven } = marker;
  const at = proven ? provenKey(target, proven.uid) : key;
  return (await store.read<OpenMarker>(at))?.document.case.id === marker.case.id;
}

const KEYS_A_PAGE = 1_000;

/** Every key under a prefix. */
async function keysUnder(prefix: string, store: Pick<Markers, "list">): Promise<string[]> {
  const keys: string[] = [];
  for (let full = true; full; ) {
    const page = await store.list(prefix, KEYS_A_PAGE, keys.at(-1));
    keys.push(...page.map(({ key }) => key));
    full = page.length === KEYS_A_PAGE;
  }
  return keys;
}

/** The markers at these keys that the case holds. */
export async function heldBy(
  keys: readonly string[],
  owner: CaseRef,
  store: Pick<Markers, "read">,
): Promise<readonly Artefact[]> {
  const there = await Promise.all(keys.map((key) => store.read<OpenMarker>(key)));
  return there.flatMap((each) => (each?.document.case.id === owner.id ? [each.artefact] : []));
}

/** Frees those of the keys that the case holds. */
export async function freeOf(
  keys: readonly string[],
  owner: CaseRef,
  store: Pick<Markers, "read" | "free">,
): Promise<void> {
  await Promise.all((await heldBy(keys, owner, store)).map((marker) => store.free(marker)));
}

/**
 * The case of the namespace that the pod is in, once it was proven that there is such a namespace:
 * until then a pod's alert must not rely on it.
 */
export async function namespaceCaseOf(
  pod: PodTarget,
  store: Pick<Markers, "list" | "read">,
): Promise<Held | null> {
  const prefix = openCasesPrefix(pod, "namespace");
  const keys = (await keysUnder(prefix, store)).filter(isProvenKey);
  const markers = await Promise.all(
    keys.map(async (key) => ({ key, marker: (await store.read<OpenMarker>(key))?.document })),
  );
  const held = markers.flatMap(({ key, marker }) => (marker ? [{ key, marker }] : []));
  const startedAt = ({ marker }: Held) => marker.execution.startedAt;
  // Of a namespace that was deleted and made again, the one that was contained last.
  return held.toSorted((one, other) => startedAt(other).localeCompare(startedAt(one)))[0] ?? null;
}

/** The cases of pods in a namespace that are open now. */
export async function podCasesIn(
  namespace: Target,
  store: Pick<Markers, "list" | "read">,
): Promise<readonly OpenMarker[]> {
  const keys = await keysUnder(openCasesPrefix(namespace, "pod"), store);
  const markers = await Promise.all(keys.map((key) => store.read<OpenMarker>(key)));
  const cases = new Map(
    markers.flatMap((each) => (each ? [[each.document.case.id, each.document]] : [])),
  );
  return [...cases.values()];
}

/**
 * Frees a target of everything that its case marked, so that the next alert acts. Each marker is
 * freed only as it was read. It looks again after the last one: until the proven marker is free, an
 * alert that turns out to mean the same target may still put its own marker into the case's name.
 */
export async function freeTarget(
  target: Target,
  owner: CaseRef,
  store: Pick<Markers, "list" | "read" | "free">,
): Promise<void> {
  const named = openCaseKey(target);
  const beside = `${named.replace(/\.json$/, "")}@`;
  for (;;) {
    const held = await heldBy([named, ...(await keysUnder(beside, store))], owner, store);
    if (held.length === 0) return;
    await Promise.all(held.map((marker) => store.free(marker)));
  }
}
