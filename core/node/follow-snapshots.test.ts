import { expect, test } from "vitest";
import { killedEverywhere } from "../../test/crash-points.ts";
import { memoryStore } from "../../test/memory/evidence-store.ts";
import { memoryVolumes } from "../../test/memory/volumes.ts";
import { PermanentError } from "../errors.ts";
import { followSnapshots } from "./follow-snapshots.ts";
import { CASE_TAG } from "./volumes.ts";

const CASE = { id: "c-1", runId: "r-1" };
const T0 = "2026-11-22T17:55:00.000Z";

/** A case with one locked snapshot. */
function prepare() {
  const ec2 = memoryVolumes({});
  const store = memoryStore();
  const clock = { now: T0 };
  const ports = { volumes: ec2, store, bound: 60, now: () => new Date(clock.now) };
  void ec2.snapshotVolume("vol-1", { [CASE_TAG]: CASE.id });
  void ec2.lock("snap-0", { mode: "governance", retentionDays: 1 });
  const look = (since: string | null = null) => followSnapshots({ case: CASE, since }, ports);
  const record = async () =>
    (await store.read<Record<string, unknown>>("runs/r-1/snapshots.json"))?.document;
  return { ec2, store, clock, ports, look, record };
}

test("snapshots that are pending are looked at again, and nothing is written yet", async () => {
  const { store, look } = prepare();

  expect(await look()).toEqual({ done: false, since: T0, notPreserved: [], artefacts: [] });
  expect(store.objects.size).toBe(0);
});

test("snapshots that completed end it, with their locks and whether they can be shared", async () => {
  const { ec2, look, record } = prepare();
  ec2.become("completed");

  const { done, notPreserved } = await look();

  expect({ done, notPreserved }).toEqual({ done: true, notPreserved: [] });
  expect(await record()).toMatchObject({
    snapshots: [{ state: "completed", sharing: expect.stringContaining("not encrypted") }],
    locks: [{ snapshotId: "snap-0", state: "governance" }],
  });
});

test("the bound ends it, and what is pending then is said to be", async () => {
  const { clock, look, record } = prepare();
  const { since } = await look();
  clock.now = "2026-11-22T17:56:00.000Z";

  const { done, notPreserved } = await look(since);

  expect(done).toBe(true);
  expect(notPreserved).toEqual([
    { what: "snap-0 of vol-1", reason: expect.stringContaining("pending") },
  ]);
  expect(await record()).toMatchObject({ followedSince: T0, notPreserved });
});

test("a snapshot that failed, or that nobody locked, is said to be no evidence to rely on", async () => {
  const { ec2, look } = prepare();
  await ec2.snapshotVolume("vol-2", { [CASE_TAG]: CASE.id });
  ec2.become("completed");
  expect((await look()).notPreserved).toEqual([
    { what: "snap-1 of vol-2", reason: expect.stringContaining("not locked") },
  ]);

  const failed = prepare();
  failed.ec2.become("error");
  expect((await failed.look()).notPreserved).toEqual([
    { what: "snap-0 of vol-1", reason: expect.stringContaining("error") },
  ]);
});

test("a copy that was refused to the forensic account is said to be missing", async () => {
  const { ec2, look, record } = prepare();
  const [snapshot] = ec2.snapshots.splice(0);
  if (!snapshot) throw new Error("there is no snapshot");
  const forensicCopy = "not shared: Encrypted snapshots with EBS default key cannot be shared";
  ec2.snapshots.push({ ...snapshot, state: "completed", forensicCopy });

  expect((await look()).notPreserved).toEqual([
    { what: "snap-0 of vol-1", reason: `no copy in the forensic account: ${forensicCopy}` },
  ]);
  expect(await record()).toMatchObject({ snapshots: [{ forensicCopy }] });
});

test("locks that may not be read are said to be unread", async () => {
  const { ec2, look } = prepare();
  ec2.become("completed");
  ec2.locksOf = () => Promise.reject(new PermanentError("AwsDenied", "denied"));

  expect((await look()).notPreserved).toContainEqual({ what: "locks", reason: "denied" });
});

test("an encrypted snapshot says which key decides whether it can be shared", async () => {
  const { ec2, look, record } = prepare();
  const [snapshot] = ec2.snapshots.splice(0);
  if (!snapshot) throw new Error("there is no snapshot");
  ec2.snapshots.push({ ...snapshot, state: "completed", kmsKeyId: "arn:aws:kms:r:1:key/k" });

  await look();

  expect(await record()).toMatchObject({
    snapshots: [
      {
        kmsKeyId: "arn:aws:kms:r:1:key/k",
        sharing: expect.stringContaining("aws/ebs it never can"),
      },
    ],
  });
});

test("killed before or after any call, the next look writes one record", async () => {
  const calls = await killedEverywhere(
    () => {
      const world = prepare();
      world.ec2.become("completed");
      return world;
    },
    (ports) => followSnapshots({ case: CASE, since: null }, ports),
    async ({ ec2, store, record }, { done }, killed) => {
      expect(done, killed).toBe(true);
      expect([...store.objects.keys()], killed).toEqual(["runs/r-1/snapshots.json"]);
      expect([ec2.snapshots.length, ec2.locks.length], killed).toEqual([1, 1]);
      expect(await record(), killed).toMatchObject({ notPreserved: [] });
    },
  );

  expect(calls).toEqual(["volumes.snapshotsOf", "volumes.locksOf", "store.putOnce"]);
});
