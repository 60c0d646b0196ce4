import type { Alert, Mode } from "../alert/alert.ts";
import type { Brake } from "../brakes/brake.ts";
import type { CaseRef, Execution } from "../case/case.ts";
import { freeTarget } from "../case/markers.ts";
import { PermanentError } from "../errors.ts";
import type { Needs, StoreFor } from "../needs.ts";
import type { ForensicCopyRequest } from "../node/forensic-copy.ts";
import type { NotPreserved } from "../node/not-preserved.ts";
import type { Target } from "../target/target.ts";
import { clockWarnings } from "./clock.ts";
import {
  type ArtefactName,
  artefactKey,
  nameInRun,
  runPrefix,
  runRecordKey,
  runRecordsPrefix,
  schemaOf,
} from "./keys.ts";
import {
  MANIFEST_SCHEMA,
  type Manifest,
  type ManifestEntry,
  type MissingEvidence,
  type PreviousRun,
  type RunRecord,
  type Warning,
} from "./manifest.ts";
import type { Result } from "./schemas/result.ts";
import type { Artefact, InspectedArtefact, Stored } from "./store.ts";

/**
 * How a run ended. `unverified`: it was changed but could not be read back. `audited`: nothing was
 * changed, `reasons` are what the plan would have left open. `ignored`: the target was not the one.
 * `joined`: another open case has this very target, and acts.
 */
export type RunVerdict =
  | "contained"
  | "partial"
  | "notEnforceable"
  | "unverified"
  | "audited"
  | "ignored"
  | "joined";

export interface RunResult {
  readonly case: CaseRef;
  readonly execution: Execution;
  readonly alert: Alert;
  readonly target: Target;
  readonly mode: Mode;
  /** Why the run acted, or only audited, in Triage's words. */
  readonly reason: string;
  /** What held writes back: all of them where the mode is audit. */
  readonly brakes: readonly Brake[];
  readonly verdict: RunVerdict;
  readonly reasons: readonly { readonly code: string; readonly message: string }[];
  /** When the last write of the quarantine was answered; null when nothing was written. */
  readonly quarantinedAt: string | null;
  /** Milliseconds from the sensor's clock to `quarantinedAt`. Null unless contained, or if that clock
   * is ahead of ours. */
  readonly timeToContainMs: number | null;
  readonly missing: readonly MissingEvidence[];
  /** What of node and disks could not be preserved; all of it is in the artefacts of these states. */
  readonly notPreserved: readonly NotPreserved[];
}

/** What is said on the stage's bus. Errors: `AwsUnavailable`, `AwsThrottled`, `AwsDenied`. */
export interface Announcements {
  /** Tells the rest of the company. */
  containmentCompleted(result: RunResult & { readonly manifest: Artefact }): Promise<void>;
  /** Asks for a copy of each of these snapshots in the forensic account. */
  forensicCopiesRequested(requests: readonly ForensicCopyRequest[]): Promise<void>;
}

export const RECORD_RUN_NEEDS = {
  evidence: {
    writes: [
      ...["runs/*/containment.json", "runs/*/audit.json", "runs/*/manifest.json"],
      "cases/*/runs/*.json",
    ],
    inspects: ["runs/*", "cases/*/runs/*"],
    // What was sealed before, and the marker of a target that was left alone.
    reads: ["runs/*/manifest.json", "cases/*/runs/*.json", "open/*"],
    lists: ["open/*"],
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
 * Ends a run: writes its result, seals everything that lies under its prefix into one manifest that
 * is chained to the case's previous run, records it with the case, and announces it. What lies in the
 * store is hashed again rather than believed, and must be what each state said it wrote. What is
 * sealed stays sealed: run again, nothing is added to the run.
 *
 * Errors: `EvidenceAltered` when the store and the states disagree.
 *
 * @returns the result; `missing` also names what turned out not to be locked
 */
export async function recordRun(
  input: RecordRunInput,
  ports: {
    readonly store: StoreFor<typeof RECORD_RUN_NEEDS>;
    readonly announcements: Pick<Announcements, "containmentCompleted">;
    readonly productVersion: string;
    readonly now: () => Date;
  },
): Promise<RunResult & { readonly manifest: Artefact }> {
  const { store } = ports;
  const { artefacts: claimed, ...run } = input;
  const { runId } = input.case;
  const result: RunResult = { ...run, timeToContainMs: timeToContain(input) };
  const name: ArtefactName = input.mode === "audit" ? "audit.json" : "containment.json";
  const write = async () => [
    ...claimed,
    (await store.putOnce(artefactKey(runId, name), result satisfies Result)).artefact,
  ];
  const sealed = await sealRun(input, write, ports);
  // Nothing was changed: the next alert is to be judged anew.
  if (input.verdict === "ignored" || input.mode === "audit")
    await freeTarget(input.target, input.case, store);
  const recorded = { ...result, ...sealed };
  await ports.announcements.containmentCompleted(recorded);
  return recorded;
}

type Store = Pick<StoreFor<typeof RECORD_RUN_NEEDS>, "read" | "putOnce" | "inspect">;
type Sealing = Pick<RecordRunInput, "case" | "execution" | "missing">;

/**
 * Seals everything that lies under the run's prefix, chained to the case's previous run, and records
 * it with the case. `last` writes what comes last and tells what the states wrote; of a run that is
 * sealed already it is not called.
 */
export async function sealRun(
  input: Sealing,
  last: () => Promise<readonly Artefact[]>,
  ports: Parameters<typeof seal>[2],
): Promise<{ readonly manifest: Artefact; readonly missing: readonly MissingEvidence[] }> {
  const { store } = ports;
  const { runId, id: caseId } = input.case;
  const { document, artefact } =
    (await store.read<Manifest>(artefactKey(runId, "manifest.json"))) ??
    (await seal(input, await last(), ports));
  const [inspected] = await store.inspect(artefact.key);
  const lock = inspected?.lock ?? null;
  const record: RunRecord = { caseId, runId, manifest: { ...artefact, lock } };
  await store.putOnce(runRecordKey(caseId, runId), record);
  const missing = [...document.missing, ...(inspected ? notLocked(inspected) : [])];
  return { manifest: artefact, missing };
}

async function seal(
  input: Sealing,
  claimed: readonly Artefact[],
  {
    store,
    now,
    productVersion,
  }: { readonly store: Store; readonly now: () => Date; readonly productVersion: string },
): Promise<Stored<Manifest>> {
  const { execution } = input;
  const { runId, id: caseId } = input.case;
  const inspected = await store.inspect(runPrefix(runId));
  compare(claimed, inspected);
  const artefacts = inspected.map(entryOf);
  const previous = await previousRun(input.case, store);
  const sealedAt = now().toISOString();
  const manifest: Manifest = {
    schema: MANIFEST_SCHEMA,
    runId,
    caseId,
    execution,
    productVersion,
    sealedAt,
    previous,
    artefacts,
    missing: [...input.missing, ...inspected.flatMap(notLocked)],
    warnings: [
      ...inspected.flatMap((artefact) => unknownWriter(artefact, execution)),
      ...clockWarnings(artefacts, { startedAt: execution.startedAt, sealedAt }),
    ],
  };
  return store.putOnce(artefactKey(runId, "manifest.json"), manifest);
}

function entryOf({ key, writer, ...rest }: InspectedArtefact): ManifestEntry {
  const name = nameInRun(key) ?? key;
  const { state = null, capturedAt = null, productVersion = null } = writer ?? {};
  return { name, schema: schemaOf(name), ...rest, state, capturedAt, productVersion };
}

/** The run of the case that was sealed last. Sealing at the same moment, two runs may name one. */
async function previousRun({ id, runId }: CaseRef, store: Store): Promise<PreviousRun | null> {
  const records = await store.inspect(runRecordsPrefix(id));
  const [last] = records
    .filter(({ key }) => key !== runRecordKey(id, runId))
    .toSorted((one, other) => compareRecords(other, one));
  const record = last && (await store.read<RunRecord>(last.key));
  if (!record) return null;
  const { key, sha256, versionId } = record.document.manifest;
  return { runId: record.document.runId, key, sha256, versionId };
}

/** By S3's clock; in the same second by name, which begins with when the run began. */
export function compareRecords(
  one: { readonly key: string; readonly storedAt: string },
  other: { readonly key: string; readonly storedAt: string },
): number {
  return one.storedAt.localeCompare(other.storedAt) || one.key.localeCompare(other.key);
}

function notLocked({ key, writer, lock }: InspectedArtefact): readonly MissingEvidence[] {
  if (lock !== null) return [];
  const cause = `${key} is written, and nothing locks it: check the bucket's default retention`;
  return [{ state: writer?.state ?? "unknown", error: "NotLocked", cause }];
}

function unknownWriter({ key, writer }: InspectedArtefact, { arn }: Execution): readonly Warning[] {
  if (writer?.execution === arn) return [];
  const artefact = nameInRun(key) ?? key;
  const by = writer ? `execution ${writer.execution}` : "something that does not say what it is";
  return [{ code: "writerUnknown", artefact, message: `${artefact} was written by ${by}` }];
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
