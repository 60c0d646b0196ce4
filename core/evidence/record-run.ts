import type { Alert, Mode } from "../alert/alert.ts";
import { type CaseRef, type Execution, freeTarget } from "../case/case.ts";
import { PermanentError } from "../errors.ts";
import type { Needs, StoreFor } from "../needs.ts";
import type { Target } from "../target/target.ts";
import { type ArtefactName, artefactKey, runPrefix } from "./keys.ts";
import { MANIFEST_SCHEMA, type Manifest, type MissingEvidence } from "./manifest.ts";
import type { Artefact, InspectedArtefact } from "./store.ts";

/**
 * How a run ended. `unverified`: it was changed but could not be read back. `audited`: nothing was
 * changed, `reasons` are what the plan would have left open. `ignored`: the target was not the one.
 */
export type RunVerdict =
  | "contained"
  | "partial"
  | "notEnforceable"
  | "unverified"
  | "audited"
  | "ignored";

export interface RunResult {
  readonly case: CaseRef;
  readonly execution: Execution;
  readonly alert: Alert;
  readonly target: Target;
  readonly mode: Mode;
  /** Why the run acted, or only audited, in Triage's words. */
  readonly reason: string;
  readonly verdict: RunVerdict;
  readonly reasons: readonly { readonly code: string; readonly message: string }[];
  /** When the last write of the quarantine was answered; null when nothing was written. */
  readonly quarantinedAt: string | null;
  /** Milliseconds from the sensor's clock to `quarantinedAt`. Null unless contained, or if that clock
   * is ahead of ours. */
  readonly timeToContainMs: number | null;
  readonly missing: readonly MissingEvidence[];
}

/** The event that tells the rest of the company. Errors: `AwsUnavailable`, `AwsThrottled`. */
export interface Announcements {
  containmentCompleted(result: RunResult & { readonly manifest: Artefact }): Promise<void>;
}

export const RECORD_RUN_NEEDS = {
  evidence: {
    writes: ["runs/*/containment.json", "runs/*/audit.json", "runs/*/manifest.json"],
    inspects: ["runs/*"],
    // The marker of a target that was left alone.
    reads: ["open/*"],
    frees: ["open/*"],
  },
  announcements: ["containmentCompleted"],
} as const satisfies Needs;

export interface RecordRunInput extends Omit<RunResult, "timeToContainMs" | "execution"> {
  readonly execution: Execution;
  /** What earlier states say that they wrote. */
  readonly artefacts: readonly Artefact[];
}

/**
 * Ends a run: writes its result, seals everything that lies under its prefix into one manifest, and
 * announces it. What lies in the store is hashed again rather than believed, and must be what each
 * state said it wrote.
 *
 * Errors: `EvidenceAltered` when the store and the states disagree.
 */
export async function recordRun(
  input: RecordRunInput,
  ports: {
    readonly store: StoreFor<typeof RECORD_RUN_NEEDS>;
    readonly announcements: Announcements;
    readonly productVersion: string;
    readonly now: () => Date;
  },
): Promise<RunResult & { readonly manifest: Artefact }> {
  const { store, now, productVersion } = ports;
  const { artefacts: claimed, ...run } = input;
  const { runId, id: caseId } = input.case;
  const result: RunResult = { ...run, timeToContainMs: timeToContain(input) };
  const name: ArtefactName = input.mode === "audit" ? "audit.json" : "containment.json";
  const { artefact } = await store.putOnce(artefactKey(runId, name), result);

  const inspected = await store.inspect(runPrefix(runId));
  compare([...claimed, artefact], inspected);
  const manifest: Manifest = {
    schema: MANIFEST_SCHEMA,
    runId,
    caseId,
    execution: input.execution,
    productVersion,
    sealedAt: now().toISOString(),
    artefacts: inspected
      .filter(({ key }) => key !== artefactKey(runId, "manifest.json"))
      .map(({ key, ...rest }) => ({ name: key.slice(runPrefix(runId).length), ...rest })),
    missing: [...input.missing],
  };
  const sealed = await store.putOnce(artefactKey(runId, "manifest.json"), manifest);
  if (input.verdict === "ignored") await freeTarget(input.target, input.case, store);
  const recorded = { ...result, manifest: sealed.artefact };
  await ports.announcements.containmentCompleted(recorded);
  return recorded;
}

function timeToContain(input: RecordRunInput): number | null {
  if (input.quarantinedAt === null || input.verdict !== "contained") return null;
  const ms = Date.parse(input.quarantinedAt) - Date.parse(input.alert.detectedAt);
  return ms >= 0 ? ms : null; // a sensor's clock that runs ahead measures nothing
}

function compare(claimed: readonly Artefact[], inspected: readonly InspectedArtefact[]): void {
  for (const artefact of claimed) {
    const there = inspected.find(({ key }) => key === artefact.key);
    if (there?.sha256 === artefact.sha256 && there.versionId === artefact.versionId) continue;
    const found = there ? `version ${there.versionId}, SHA-256 ${there.sha256}` : "nothing";
    throw new PermanentError(
      "EvidenceAltered",
      `${artefact.key} was written as version ${artefact.versionId}, SHA-256 ${artefact.sha256}; ` +
        `the store now has ${found}. Keep the bucket as it is and investigate who wrote to it.`,
    );
  }
}
