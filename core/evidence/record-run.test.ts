import { describe, expect, test } from "vitest";
import { LOCK, type MemoryStore, memoryStore } from "../../test/memory/evidence-store.ts";
import { bucketFolder } from "../../test/memory/run-folder.ts";
import { actAt, aSealedRun } from "../../test/memory/sealed-run.ts";
import type { Mode } from "../alert/alert.ts";
import { openCase } from "../case/case.ts";
import { artefactKey, runPrefix, runRecordKey } from "./keys.ts";
import type { Manifest, RunRecord } from "./manifest.ts";
import { type RecordRunInput, type RunVerdict, recordRun } from "./record-run.ts";
import { verifyRun } from "./verify.ts";

const EXECUTION = {
  arn: "arn:aws:states:us-east-1:111122223333:execution:contain:a",
  name: "a",
  startedAt: "2026-11-22T17:55:01.000Z",
};
const OPENING = {
  alert: {
    source: "falco",
    id: "1",
    rule: "Terminal shell in container",
    severity: "low",
    detectedAt: "2026-11-22T17:55:00.000Z",
  },
  target: {
    cluster: "prod-eks-1",
    namespace: "payments",
    kind: "pod",
    name: "checkout-1",
    uid: null,
    containerId: null,
  },
  mode: "containment",
  reason: "a test",
  execution: EXECUTION,
  event: {},
} as const;

async function prepare(verdict: RunVerdict = "contained", mode: Mode = "containment") {
  const store = memoryStore();
  const { case: ref, artefacts } = await openCase(OPENING, store);
  const announced: unknown[] = [];
  const { event: _, ...opening } = OPENING;
  const input: RecordRunInput = {
    ...opening,
    case: ref,
    mode,
    verdict,
    reasons: [],
    brakes: [],
    quarantinedAt: "2026-11-22T17:55:02.500Z",
    artefacts,
    missing: [],
    notPreserved: [],
  };
  const act = () =>
    recordRun(input, {
      store,
      announcements: { containmentCompleted: async (result) => void announced.push(result) },
      productVersion: "0.1.0",
      now: () => new Date("2026-11-22T17:55:03.000Z"),
    });
  return { store, input, announced, act };
}

describe("the record of a run", () => {
  test("seals what lies in the store, tells the time to contain, and is announced", async () => {
    const { store, input, announced, act } = await prepare();
    store.writer = { ...store.writer, state: "RecordRun", capturedAt: "2026-11-22T17:55:03.100Z" };
    store.storedAt = "2026-11-22T17:55:03.000Z";

    const result = await act();

    expect(result.timeToContainMs).toBe(2_500);
    expect(announced).toEqual([result]);
    expect(await verifyRun(bucketFolder(store, input.case.runId))).toMatchObject({
      verified: true,
      artefacts: 2,
      problems: [],
    });
  });

  test("made twice is the same, byte for byte", async () => {
    const { store, act } = await prepare();
    const first = await act();
    const objects = new Map(store.objects);

    expect(await act()).toEqual(first);
    expect(store.objects).toEqual(objects);
  });

  test("refuses to seal evidence that is not what its state wrote", async () => {
    const { store, input, act } = await prepare();
    store.objects.set(input.artefacts[0]?.key ?? "", "{}\n");

    await expect(act()).rejects.toMatchObject({ name: "EvidenceAltered" });
  });

  test("frees the target of a run that changed nothing, and of no other", async () => {
    const contained = await prepare("contained");
    const ignored = await prepare("ignored");
    // It was a containment when its case was opened: a brake made an audit of it.
    const braked = await prepare("audited", "audit");

    await contained.act();
    await ignored.act();
    await braked.act();

    const markers = (store: MemoryStore) =>
      [...store.objects.keys()].filter((k) => k.startsWith("open/"));
    expect(markers(contained.store)).toHaveLength(1);
    expect(markers(ignored.store)).toHaveLength(0);
    expect(markers(braked.store)).toHaveLength(0);
  });
});

const manifestOf = (store: MemoryStore, runId: string): Manifest =>
  JSON.parse(store.objects.get(artefactKey(runId, "manifest.json")) ?? "");
const recordOf = (store: MemoryStore, caseId: string, runId: string): RunRecord =>
  JSON.parse(store.objects.get(runRecordKey(caseId, runId)) ?? "");

describe("the manifest", () => {
  test("says of every artefact who wrote it, when by both clocks, by which schema, and its lock", async () => {
    const { store, runId } = await aSealedRun();

    const { artefacts, warnings, missing, previous } = manifestOf(store, runId);
    expect(artefacts.find(({ name }) => name === "before-pods-2.json")).toMatchObject({
      schema: "eks-containment/before-pods/1",
      state: "SnapshotBefore",
      productVersion: "0.1.0",
      capturedAt: "2026-11-22T17:55:10.250Z",
      storedAt: "2026-11-22T17:55:10.000Z",
      lock: LOCK,
    });
    expect({ warnings, missing, previous }).toEqual({ warnings: [], missing: [], previous: null });
  });

  test("is chained to the run of the case that was sealed last", async () => {
    const first = await aSealedRun();
    const second = await aSealedRun(first.store, {}, 1);
    const third = await aSealedRun(first.store, {}, 2);

    const { runId, result } = second;
    const { manifest } = recordOf(first.store, result.case.id, runId);
    const { key, sha256, versionId } = manifest;
    expect(manifestOf(first.store, third.runId).previous).toEqual({
      ...{ runId, key, sha256, versionId },
    });
    expect(manifestOf(first.store, runId).previous?.runId).toBe(first.runId);
    expect(await verifyRun(bucketFolder(first.store, third.runId))).toMatchObject({ problems: [] });
  });

  test("and the result say what nothing locks", async () => {
    const store = memoryStore();
    store.lock = null;
    const { runId, result } = await aSealedRun(store);

    const { missing, artefacts } = manifestOf(store, runId);
    expect(missing.map(({ error }) => error)).toEqual(artefacts.map(() => "NotLocked"));
    expect(missing).toContainEqual({
      state: "ApplyPolicy",
      error: "NotLocked",
      cause: expect.stringContaining("plan.json"),
    });
    expect(result.missing).toHaveLength(missing.length + 1); // the manifest is not locked either
  });

  test("warns of a writer's clock that is wrong, and verifies all the same", async () => {
    const store = memoryStore();
    const begin = Date.parse("2026-11-22T17:55:01.000Z");
    const { result } = await aSealedRun(memoryStore());
    actAt(store, begin, 20, "SnapshotBefore");
    store.writer = { ...store.writer, capturedAt: "2026-11-22T17:54:00.000Z" };
    await store.putOnce(artefactKey(result.case.runId, "before-pods-3.json"), {});
    const { runId } = await aSealedRun(store);

    const { warnings } = manifestOf(store, runId);
    expect(warnings.map(({ code }) => code)).toContain("clockSkewed");
    expect(warnings.map(({ code }) => code)).toContain("clockBackwards");
    const { verified, checks } = await verifyRun(bucketFolder(store, runId));
    expect(verified).toBe(true);
    expect(checks.filter(({ outcome }) => outcome === "warning")).toHaveLength(warnings.length);
  });

  test("warns of an object that no state of this run wrote", async () => {
    const store = memoryStore();
    const begin = Date.parse("2026-11-22T17:55:01.000Z");
    const { result } = await aSealedRun(memoryStore());
    actAt(store, begin, 10, "SnapshotBefore");
    store.writer = { ...store.writer, execution: "somebody else" };
    await store.putOnce(artefactKey(result.case.runId, "before-pods-3.json"), {});
    const { runId } = await aSealedRun(store);

    expect(manifestOf(store, runId).warnings).toEqual([
      expect.objectContaining({ code: "writerUnknown", artefact: "before-pods-3.json" }),
    ]);
  });
});

describe("a key that is taken", () => {
  test("by other content is left as it is, and what was refused is kept and sealed beside it", async () => {
    const store = memoryStore();
    const runId = (await aSealedRun()).runId;
    const key = artefactKey(runId, "plan.json");
    actAt(store, Date.parse("2026-11-22T17:55:01.000Z"), 15, "ApplyPolicy");
    await store.putOnce(key, { of: "plan.json", run: 0, text: "what was seen first" });
    const kept = store.objects.get(key);
    await aSealedRun(store);

    expect(store.objects.get(key)).toBe(kept);
    const conflicts = [...store.objects].filter(([name]) => name.includes("conflict-"));
    expect(conflicts).toHaveLength(1);
    expect(JSON.parse(conflicts[0]?.[1] ?? "")).toMatchObject({
      conflictsWith: "plan.json",
      refused: { document: { text: "what was seen" } },
    });
    expect(manifestOf(store, runId).artefacts.map(({ schema }) => schema)).toContain(
      "eks-containment/conflict/1",
    );
    expect(await verifyRun(bucketFolder(store, runId))).toMatchObject({ problems: [] });
  });

  test("by the same content, or by another's marker, is no conflict", async () => {
    const store = memoryStore();
    for (const at of [1, 1]) await store.putOnce("runs/r/plan.json", { at });
    for (const at of [1, 2]) await store.putOnce("open/c/n/pod/p.json", { at });

    expect([...store.objects.keys()]).toEqual(["runs/r/plan.json", "open/c/n/pod/p.json"]);
  });

  test("after sealing adds nothing: RecordRun that runs again leaves the run as it is", async () => {
    const { store, runId } = await aSealedRun();
    const before = new Map(store.objects);
    await aSealedRun(store, { reason: "another reason" });

    expect(new Map(store.objects)).toEqual(before);
    expect([...before.keys()].filter((key) => key.startsWith(runPrefix(runId)))).toHaveLength(13);
  });
});
