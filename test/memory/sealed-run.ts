import { type ArtefactName, artefactKey } from "../../core/evidence/keys.ts";
import { type RecordRunInput, type RunResult, recordRun } from "../../core/evidence/record-run.ts";
import { type MemoryStore, memoryStore, WRITER } from "./evidence-store.ts";

const CASE_ID = "c-20261122-0123456789";
const MINUTE_MS = 60_000;

/** States in the order of the playbook, with what each writes. */
const WRITES: readonly (readonly [state: string, name: ArtefactName])[] = [
  ["OpenCase", "alert.json"],
  ["Authenticate", "authentication.json"],
  ["SnapshotBefore", "before-pods-1.json"],
  ["SnapshotBefore", "before-pods-2.json"],
  ["SnapshotBefore", "before.json"],
  ["ApplyPolicy", "plan.json"],
  ["ApplyPolicy", "policy.json"],
  ["CompletePolicy", "completion.json"],
  ["SnapshotNodeEbs", "node.json"],
  ["SnapshotNodeEbs", "volumes.json"],
  ["SnapshotAfter", "after.json"],
];

/** The clock of a writer a number of seconds after a run's begin, and S3's, which drops milliseconds. */
export function actAt(store: MemoryStore, begin: number, seconds: number, state: string): void {
  const at = new Date(begin + seconds * 1_000 + 250).toISOString();
  const execution = `${WRITER.execution}-${begin}`;
  store.writer = { ...WRITER, execution, state, capturedAt: at };
  store.storedAt = at.replace(/\.\d+Z$/, ".000Z");
}

/** One run of the case, a state every three seconds, sealed by the product itself. */
export async function aSealedRun(
  store: MemoryStore = memoryStore(),
  change: Partial<RecordRunInput> = {},
  number = 0,
): Promise<{ readonly store: MemoryStore; readonly runId: string; readonly result: RunResult }> {
  const begin = Date.parse("2026-11-22T17:55:01.000Z") + number * MINUTE_MS;
  const startedAt = new Date(begin).toISOString();
  const runId = `${startedAt.replaceAll(/[-:.]/g, "")}-${CASE_ID}`;
  const artefacts = [];
  for (const [index, [state, name]] of WRITES.entries()) {
    actAt(store, begin, index * 3, state);
    const document = { of: name, run: number, text: "what was seen" };
    artefacts.push((await store.putOnce(artefactKey(runId, name), document)).artefact);
  }
  actAt(store, begin, WRITES.length * 3, "RecordRun");
  const result = await recordRun(
    {
      case: { id: CASE_ID, runId },
      alert: {
        ...{ source: "falco", id: "1", rule: "Terminal shell in container", severity: "low" },
        detectedAt: "2026-11-22T17:55:00.000Z",
      },
      target: {
        ...{ cluster: "prod-eks-1", namespace: "payments", kind: "pod", name: "checkout-1" },
        ...{ uid: null, containerId: null },
      },
      ...{ mode: "containment", reason: "a test", brakes: [], verdict: "contained", reasons: [] },
      execution: { arn: store.writer.execution, name: "a", startedAt },
      quarantinedAt: startedAt,
      notPreserved: [],
      artefacts,
      missing: [],
      ...change,
    },
    {
      store,
      announcements: { containmentCompleted: async () => {} },
      productVersion: WRITER.productVersion,
      now: () => new Date(store.writer.capturedAt),
    },
  );
  return { store, runId, result };
}
