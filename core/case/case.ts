import { createHash } from "node:crypto";
import type { Alert, Mode } from "../alert/alert.ts";
import { TransientError } from "../errors.ts";
import { absorbedKey, artefactKey, caseKey, ignoredKey, joinedAlertKey } from "../evidence/keys.ts";
import type {
  Absorbed,
  AlertRecord,
  CaseRecord,
  Ignored,
  OpenMarker,
} from "../evidence/schemas/case.ts";
import type { Artefact } from "../evidence/store.ts";
import type { Needs, StoreFor } from "../needs.ts";
import { describeTarget, type Target } from "../target/target.ts";
import { type Held, heldBy, isOpen, namespaceCaseOf, takeMarker, takenKeys } from "./markers.ts";

export const OPEN_CASE_NEEDS = {
  evidence: {
    writes: [
      ...["open/*", "cases/*/case.json", "cases/*/alerts/*.json", "cases/*/absorbed/*.json"],
      "runs/*/alert.json",
    ],
    reads: ["open/*"],
    lists: ["open/*"],
    frees: ["open/*"],
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

export interface OpenedCase {
  readonly opened: "new" | "joined";
  readonly case: CaseRef;
  readonly artefacts: readonly Artefact[];
  /** True when this execution had opened it before: it is retried or redriven. */
  readonly again: boolean;
}

/**
 * Ids that a retry or a redrive of the same execution arrives at again: the day, and 40 bits of the
 * execution's ARN. The run's id begins with the time, so that runs sort by when they began.
 */
export function caseOf(execution: Execution): CaseRef {
  const digest = createHash("sha256").update(execution.arn).digest("hex").slice(0, 10);
  return runOf(execution, `c-${timeOf(execution).slice(0, 8)}-${digest}`);
}

/** A further run of a case. */
export function runOf(execution: Execution, caseId: string): CaseRef {
  return { id: caseId, runId: `${timeOf(execution)}-${caseId}` };
}

/** The case of a case's or a run's id; null when the text is neither. */
export function caseIdOf(id: string): string | null {
  return /^(?:\d{8}T\d+Z-)?(c-\d{8}-[0-9a-f]{10})$/.exec(id)?.[1] ?? null;
}

function timeOf({ startedAt }: Execution): string {
  return startedAt.replaceAll(/[-:.]/g, "");
}

/** How often a case may be released while we join it before we give up. */
const ATTEMPTS = 3;

type Store = StoreFor<typeof OPEN_CASE_NEEDS>;

/**
 * Opens the case of a target, or joins the one that is open: the target's own, or that of the
 * namespace which it is in. The conditional write of a marker decides the race: whoever writes it
 * first acts, everyone else leaves the alert with that case and stops. Audits change nothing, so they
 * take no marker and never keep a containment out.
 *
 * Errors: `EvidenceUnavailable` (transient) when the case is released under our hands again and again.
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
  store: Store,
): Promise<OpenedCase> {
  const { execution, target, mode } = input;
  const own = caseOf(execution);
  const record: AlertRecord = { ...input };
  if (mode === "containment") {
    const joined = await joinOther({ case: own, execution, target }, record, store);
    if (joined) return joined;
  }
  const [{ artefact }, { created }] = await Promise.all([
    store.putOnce(artefactKey(own.runId, "alert.json"), record),
    store.putOnce<CaseRecord>(caseKey(own.id), {
      ...{ case: own, target, mode, openedAt: execution.startedAt },
    }),
  ]);
  return { opened: "new", case: own, artefacts: [artefact], again: !created };
}

/** Leaves the alert with the case that has the target; null when that is our own. */
async function joinOther(
  own: OpenMarker,
  record: AlertRecord,
  store: Store,
): Promise<OpenedCase | null> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const other = await otherHolder(own, store);
    if (!other) return null;
    const { case: holder } = other.marker;
    const [{ artefact }] = await Promise.all([
      store.putOnce(joinedAlertKey(holder.id, own.execution.name), record),
      leaveTo(other.marker, own, store),
    ]);
    // A release frees the marker, then looks at what joined: it saw this alert, or we see it gone.
    if (await isOpen(other, store)) {
      return { opened: "joined", case: holder, artefacts: [artefact], again: false };
    }
  }
  throw new TransientError(
    "EvidenceUnavailable",
    `the case of ${describeTarget(own.target)} was released ${ATTEMPTS} times while joining it`,
  );
}

/** Gives up what we had taken; alerts that joined us meanwhile are found through the other case. */
async function leaveTo(holder: OpenMarker, own: OpenMarker, store: Store): Promise<void> {
  const held = await heldBy(takenKeys(own), own.case, store);
  if (held.length === 0) return;
  const why = holder.target.kind === own.target.kind ? "sameTarget" : "inNamespace";
  const absorbed: Absorbed = { case: own.case, target: own.target, why };
  await store.putOnce(absorbedKey(holder.case.id, own.case.id), absorbed);
  await Promise.all(held.map((marker) => store.free(marker)));
}

/**
 * Takes the target; null when it is ours. A pod's marker is written before the second look at its
 * namespace, as the namespace's case does the reverse: one of the two sees the other.
 */
async function otherHolder(own: OpenMarker, store: Store): Promise<Held | null> {
  const { target } = own;
  const namespaceCase = async () =>
    target.kind === "pod" ? await namespaceCaseOf(target, store) : null;
  const around = await namespaceCase();
  if (around) return around;
  const held = await takeMarker(own, store);
  return held.marker.case.id === own.case.id ? namespaceCase() : held;
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
