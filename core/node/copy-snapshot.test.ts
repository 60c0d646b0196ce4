import { expect, test } from "vitest";
import { killedEverywhere } from "../../test/crash-points.ts";
import { memoryCopies } from "../../test/memory/copies.ts";
import { memoryVolumes } from "../../test/memory/volumes.ts";
import { copySnapshot, type SharedSnapshot } from "./copy-snapshot.ts";

const SHARED: SharedSnapshot = {
  snapshotId: "snap-1",
  account: "111122223333",
  region: "us-east-1",
  tags: {
    ...{ CaseID: "c-1", Reason: "Automated_Containment", Node: "node-1" },
    ...{ "aws:dlm:x": "1", ForensicCopy: "asked" },
  },
};

function prepare() {
  const copies = memoryCopies();
  const volumes = memoryVolumes({});
  const lock = { mode: "compliance", retentionDays: 30 } as const;
  const ports = { copies, volumes, lock };
  const look = (redrives = 0) => copySnapshot({ ...SHARED, redrives }, ports);
  return { copies, volumes, ports, look };
}

test("a shared snapshot is copied with the tags of its case and where it came from", async () => {
  const { copies, look } = prepare();

  expect(await look()).toEqual({ done: false, copy: "snap-c0" });
  expect(copies.made.map(({ tags }) => tags)).toEqual([
    {
      ...{ CaseID: "c-1", Reason: "Automated_Containment", Node: "node-1" },
      ...{ SourceSnapshot: "snap-1", SourceAccount: "111122223333", SourceRegion: "us-east-1" },
    },
  ]);
});

test("the copy is locked while it is under way, once", async () => {
  const { volumes, look } = prepare();

  await look();
  await look();

  expect(volumes.locks).toEqual([{ snapshotId: "snap-c0", state: "compliance", expiresAt: null }]);
});

test("it is followed until it is complete, and never made twice", async () => {
  const { copies, look } = prepare();
  await look();
  expect(await look()).toMatchObject({ done: false });

  copies.become("completed");

  expect(await look()).toEqual({ done: true, copy: "snap-c0" });
  expect(copies.made).toHaveLength(1);
});

test("a copy that failed ends with what EC2 says; a redrive makes one more", async () => {
  const { copies, look } = prepare();
  await look();
  copies.become("error", "Given key ID is not accessible");

  await expect(look()).rejects.toMatchObject({
    name: "SnapshotRefused",
    message: expect.stringContaining("Given key ID is not accessible"),
  });
  expect(copies.made).toHaveLength(1);

  expect(await look(1)).toEqual({ done: false, copy: "snap-c1" });
  copies.become("error");
  await expect(look(1)).rejects.toThrow("EC2 does not say why");
});

test("killed before or after any call, the next look has one locked copy", async () => {
  const calls = await killedEverywhere(
    prepare,
    (ports) => copySnapshot({ ...SHARED, redrives: 0 }, ports),
    async ({ copies, volumes }, { copy }, killed) => {
      expect(
        copies.made.map(({ snapshotId }) => snapshotId),
        killed,
      ).toEqual([copy]);
      expect(
        volumes.locks.map(({ snapshotId }) => snapshotId),
        killed,
      ).toEqual([copy]);
    },
  );

  expect(calls).toEqual(["copies.of", "copies.begin", "volumes.locksOf", "volumes.lock"]);
});
