import { createHash } from "node:crypto";
import type { Alert, Mode } from "../alert/alert.ts";
import { artefactKey, caseKey, ignoredKey, joinedAlertKey, openCaseKey } from "../evidence/keys.ts";
import type { AlertRecord, CaseRecord, Ignored, OpenMarker } from "../evidence/schemas/case.ts";
import type { Artefact, EvidenceStore } from "../evidence/store.ts";
import type { Needs, StoreFor } from "../needs.ts";
import type { Target } from "../target/target.ts";

export const OPEN_CASE_NEEDS = {
  evidence: {
    writes: ["open/*", "cases/*/case.json", "cases/*/alerts/*.json", "runs/*/alert.json"],
  },
} as const satisfies Needs;

export const RECORD_IGNORED_NEEDS = {
  evidence: { writes: ["ignored/*"] },
} as const satisfies Needs;

/** The execution of the state machine that is acting. A redrive keeps all three values. */
export interface Execution {
  readonly arn: string;
  readonly name: string;
  /** RFC 3339 in UTC. */
  readonly startedAt: string;
}

export interface CaseRef {
  readonly id: string;
  readonly runId: string;
}

export type OpenedCase =
  | { readonly opened: "new"; readonly case: CaseRef; readonly artefacts: readonly Artefact[] }
  | { readonly opened: "joined"; readonly case: CaseRef; readonly artefacts: readonly Artefact[] };

/**
 * Ids that a retry or a redrive of the same execution arrives at again: the day, and 40 bits of the
 * execution's ARN. The run's id begins with the time, so that runs sort by when they began.
 */
export function caseOf(execution: Execution): CaseRef {
  const digest = createHash("sha256").update(execution.arn).digest("hex").slice(0, 10);
  const time = execution.startedAt.replaceAll(/[-:.]/g, "");
  const id = `c-${time.slice(0, 8)}-${digest}`;
  return { id, runId: `${time}-${id}` };
}

/**
 * Opens the case of a target, or joins the one that is open. The conditional write of the marker
 * decides the race: whoever writes it first acts, everyone else leaves the alert with that case and
 * stops. Audits change nothing, so they take no marker and never keep a containment out.
 */
export async function openCase(
  input: {
    readonly alert: Alert;
    readonly target: Target;
    readonly mode: Mode;
    readonly reason: string;
    readonly execution: Execution;
    readonly event: unknown;
  },
  store: StoreFor<typeof OPEN_CASE_NEEDS>,
): Promise<OpenedCase> {
  const { execution, target, mode } = input;
  const own = caseOf(execution);
  const record: AlertRecord = { ...input };
  if (mode === "containment") {
    const holder = await takeMarker({ case: own, execution, target }, store);
    if (holder.id !== own.id) {
      const key = joinedAlertKey(holder.id, execution.name);
      const { artefact } = await store.putOnce(key, record);
      return { opened: "joined", case: holder, artefacts: [artefact] };
    }
  }
  const [{ artefact }] = await Promise.all([
    store.putOnce(artefactKey(own.runId, "alert.json"), record),
    store.putOnce<CaseRecord>(caseKey(own.id), {
      ...{ case: own, target, mode, openedAt: execution.startedAt },
    }),
  ]);
  return { opened: "new", case: own, artefacts: [artefact] };
}

/** The case that holds the target: the marker's own if it came first. */
async function takeMarker(
  marker: OpenMarker,
  store: StoreFor<typeof OPEN_CASE_NEEDS>,
): Promise<CaseRef> {
  const { target } = marker;
  const { document: first } = await store.putOnce(openCaseKey(target), marker);
  if (first.case.id === marker.case.id || mayBeSame(first.target, target)) return first.case;
  const { document } = await store.putOnce(openCaseKey(target, identityOf(target)), marker);
  return document.case;
}

/** False only when both alerts know what they mean, and mean different things of one name. */
function mayBeSame(one: Target, other: Target): boolean {
  const differ = (a: string | null, b: string | null) => a !== null && b !== null && a !== b;
  if (one.kind === "pod" && other.kind === "pod") {
    return !differ(one.uid, other.uid) && !differ(one.containerId, other.containerId);
  }
  return !differ(one.uid, other.uid);
}

function identityOf(target: Target): string | null {
  return target.uid ?? (target.kind === "pod" ? target.containerId : null);
}

/**
 * Frees the target of a case that ends without having changed anything, so that the next alert acts.
 * Only the case that holds the marker may free it.
 */
export async function freeTarget(
  target: Target,
  owner: CaseRef,
  store: Pick<EvidenceStore, "read" | "free">,
): Promise<void> {
  for (const key of new Set([openCaseKey(target), openCaseKey(target, identityOf(target))])) {
    const marker = await store.read<OpenMarker>(key);
    if (marker?.document.case.id === owner.id) await store.free(key);
  }
}

/** Files an event that was understood and refused, with the reason and the raw event. */
export async function recordIgnored(
  input: {
    readonly reason: string;
    readonly alert: Alert | null;
    readonly execution: Execution;
    readonly event: unknown;
  },
  store: StoreFor<typeof RECORD_IGNORED_NEEDS>,
): Promise<Artefact> {
  const { execution } = input;
  const key = ignoredKey(execution.startedAt, execution.name);
  const { artefact } = await store.putOnce<Ignored>(key, { outcome: "ignored", ...input });
  return artefact;
}
