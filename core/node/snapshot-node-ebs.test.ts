import { describe, expect, test } from "vitest";
import { killedEverywhere } from "../../test/crash-points.ts";
import { memoryAnnouncements } from "../../test/memory/announcements.ts";
import { ENGAGED, RELEASED } from "../../test/memory/brakes.ts";
import { aPod, memoryCluster } from "../../test/memory/cluster.ts";
import { memoryStore } from "../../test/memory/evidence-store.ts";
import { memoryVolumes } from "../../test/memory/volumes.ts";
import type { Mode } from "../alert/alert.ts";
import { PermanentError, TransientError } from "../errors.ts";
import type { Target } from "../target/target.ts";
import type { ForensicAccount } from "./forensic-copy.ts";
import { snapshotNodeEbs } from "./snapshot-node-ebs.ts";

const CASE = { id: "c-1", runId: "r-1" };
const INSTANCE = "i-0123456789abcdef0";
const LOCK = { mode: "governance", retentionDays: 365 } as const;
const TARGET: Target = {
  cluster: "prod-eks-1",
  namespace: "payments",
  kind: "pod",
  name: "checkout-1",
  uid: null,
  containerId: null,
};

function prepare(attached: Record<string, string[]> = { [INSTANCE]: ["vol-root", "vol-data"] }) {
  const volumes = [{ name: "data", persistentVolumeClaim: { claimName: "data-0" } }];
  const kubernetes = memoryCluster({
    pods: [aPod({ spec: { volumes } })],
    nodes: [
      { metadata: { name: "node-1" }, spec: { providerID: `aws:///us-east-1a/${INSTANCE}` } },
    ],
    claims: [{ metadata: { name: "data-0", namespace: "payments" }, spec: { volumeName: "pv-1" } }],
    persistentVolumes: [
      {
        metadata: { name: "pv-1" },
        spec: { csi: { driver: "ebs.csi.aws.com", volumeHandle: "vol-data" } },
      },
    ],
  });
  const ec2 = memoryVolumes(attached);
  const store = memoryStore();
  const now = () => new Date("2026-11-22T17:55:00.000Z");
  const announcements = memoryAnnouncements();
  const ports = {
    ...{ kubernetes, volumes: ec2, store, announcements, lock: LOCK, now },
    forensicAccount: null as ForensicAccount | null,
  };
  const act = (
    target: Target = TARGET,
    mode: Mode = "containment",
    attempt = 0,
    killSwitch = RELEASED,
  ) => snapshotNodeEbs({ case: CASE, target, uid: "uid-1", mode, attempt, killSwitch }, ports);
  const record = async () =>
    (await store.read<Record<string, unknown>>("runs/r-1/volumes.json"))?.document;
  return { ports, kubernetes, ec2, store, announcements, act, record };
}

test("every volume of the pod's node is in one set of snapshots, tagged with the case", async () => {
  const { ec2, act } = prepare();

  await act();

  expect(ec2.snapshots.map(({ volumeId }) => volumeId)).toEqual(["vol-root", "vol-data"]);
  expect(ec2.snapshots[0]?.tags).toEqual({
    CaseID: "c-1",
    Reason: "Automated_Containment",
    Cluster: "prod-eks-1",
    Namespace: "payments",
    Pod: "checkout-1",
    Node: "node-1",
  });
});

test("snapshots are found again instead of made twice, whatever was already made", async () => {
  const { ec2, act } = prepare();
  await ec2.snapshotVolume("vol-data", { CaseID: "c-1" });

  await act();
  await act();

  expect(ec2.snapshots.map(({ volumeId }) => volumeId).sort()).toEqual(["vol-data", "vol-root"]);
});

test("a claim's volume that is not attached to the node gets a snapshot of its own", async () => {
  const { ec2, act } = prepare({ [INSTANCE]: ["vol-root"] });

  await act();

  expect(ec2.snapshots.map(({ volumeId }) => volumeId)).toEqual(["vol-root", "vol-data"]);
});

test("an audit lists the volumes and makes no snapshot", async () => {
  const { ec2, act, record } = prepare();

  await act(TARGET, "audit");

  expect(ec2.snapshots).toEqual([]);
  expect(await record()).toMatchObject({ volumeIds: ["vol-root", "vol-data"], snapshots: [] });
});

test("a volume that EC2 refuses costs none of the others", async () => {
  const { ec2, act, record } = prepare({ [INSTANCE]: ["vol-root"] });
  ec2.snapshotVolume = async (volumeId) => {
    throw new PermanentError("SnapshotRefused", `${volumeId} does not exist`);
  };

  await act();

  expect(await record()).toMatchObject({
    snapshots: [{ volumeId: "vol-root" }],
    notPreserved: [{ what: "vol-data", reason: "vol-data does not exist" }],
  });
});

test("a successor that took the pod's name is not what was to be preserved", async () => {
  const { kubernetes, ec2, act, record } = prepare();
  kubernetes.state.pods = [aPod({ metadata: { uid: "uid-2" } })];

  await act();

  expect(ec2.snapshots).toEqual([]);
  expect(await record()).toMatchObject({ notPreserved: [{ what: "pod payments/checkout-1" }] });
});

test("what cannot be preserved is written down with its reason", async () => {
  const { kubernetes, ec2, act, record } = prepare({});
  kubernetes.state.claims = [];
  kubernetes.state.pods.push(
    aPod({ metadata: { name: "p2", uid: "2" }, spec: { nodeName: "fargate-1" } }),
  );
  kubernetes.state.nodes.push({
    metadata: { name: "fargate-1" },
    spec: { providerID: "aws:///us-east-1a/x/fargate-ip-10-0-1-2" },
  });

  await act({ ...TARGET, kind: "namespace", name: "payments", uid: null });

  expect(ec2.snapshots).toEqual([]);
  expect(await record()).toMatchObject({
    notPreserved: [
      { what: "fargate-1", reason: expect.stringContaining("Fargate") },
      { what: "node-1", reason: expect.stringContaining("no such instance") },
      { what: "claim data-0", reason: expect.stringContaining("not bound") },
    ],
  });
});

test("every snapshot is locked once, like the evidence", async () => {
  const { ec2, act, record } = prepare();

  await act();
  await act();

  expect(ec2.locks.map(({ snapshotId, state }) => [snapshotId, state])).toEqual([
    ["snap-0", "governance"],
    ["snap-1", "governance"],
  ]);
  expect(await record()).toMatchObject({ locks: [{ snapshotId: "snap-0" }, {}] });
});

test("a lock that is denied is written down; the snapshots stand", async () => {
  const { ec2, act, record } = prepare();
  ec2.lock = () => Promise.reject(new PermanentError("AwsDenied", "no right to lock"));

  const { snapshots, notPreserved } = await act();

  expect(snapshots).toBe(2);
  expect(notPreserved).toEqual(
    ["snap-0", "snap-1"].map((id) => ({ what: `lock of ${id}`, reason: "no right to lock" })),
  );
  expect(await record()).toMatchObject({ locks: [], notPreserved });
});

test("a volume that no instance bears is tagged with its pod and itself", async () => {
  const { ec2, act } = prepare({ [INSTANCE]: ["vol-root"] });

  await act();

  expect(ec2.snapshots[1]?.tags).toMatchObject({ Pod: "checkout-1", Volume: "vol-data" });
});

describe("volumes are found behind", () => {
  const bound = (spec: Record<string, unknown>) => {
    const prepared = prepare({ [INSTANCE]: ["vol-root"] });
    prepared.kubernetes.state.persistentVolumes = [{ metadata: { name: "pv-1" }, spec }];
    return prepared;
  };
  const volumeIds = ({ ec2 }: ReturnType<typeof prepare>) =>
    ec2.snapshots.map(({ volumeId }) => volumeId);

  test.each([["aws://us-east-1a/vol-0old"], ["vol-0old"]])(
    "the in-tree name %s",
    async (volumeID) => {
      const prepared = bound({ awsElasticBlockStore: { volumeID } });
      await prepared.act();
      expect(volumeIds(prepared)).toEqual(["vol-root", "vol-0old"]);
    },
  );

  test("a claim that a pod makes for itself, and a volume that it names itself", async () => {
    const prepared = prepare({ [INSTANCE]: ["vol-root"] });
    const { kubernetes } = prepared;
    kubernetes.state.claims[0] = {
      metadata: { name: "checkout-1-scratch", namespace: "payments" },
      spec: { volumeName: "pv-1" },
    };
    const volumes = [
      { name: "scratch", ephemeral: {} },
      { name: "old", awsElasticBlockStore: { volumeID: "vol-0old" } },
      { name: "config" },
    ];
    kubernetes.state.pods = [aPod({ spec: { volumes } })];
    await prepared.act();
    expect(volumeIds(prepared)).toEqual(["vol-root", "vol-data", "vol-0old"]);
  });

  test("nothing that is no volume of EBS", async () => {
    for (const spec of [
      { csi: { driver: "efs.csi.aws.com", volumeHandle: "fs-1" } },
      { csi: { driver: "ebs.csi.aws.com", volumeHandle: "vol-1 --all" } },
      {},
    ]) {
      const prepared = bound(spec);
      const { notPreserved } = await prepared.act();
      expect(notPreserved).toEqual([
        { what: "claim data-0", reason: "not bound to an EBS volume" },
      ]);
      expect(volumeIds(prepared)).toEqual(["vol-root"]);
    }
  });
});

describe("EC2 that", () => {
  const throttled = new TransientError("AwsThrottled", "ConcurrentSnapshotLimitExceeded");

  test("throttles the set of an instance is asked again for the set, not for single volumes", async () => {
    const { ec2, act, record } = prepare();
    const { snapshotInstance } = ec2;
    ec2.snapshotInstance = () => Promise.reject(throttled);
    await expect(act()).rejects.toBe(throttled);
    expect(ec2.snapshots).toEqual([]);
    ec2.snapshotInstance = snapshotInstance;

    await act(TARGET, "containment", 1);

    expect(ec2.snapshots[0]?.tags).not.toHaveProperty("Volume");
    expect(await record()).toMatchObject({ snapshots: [{}, {}], notPreserved: [] });
  });

  test("throttles one volume to the end costs the record of no other", async () => {
    const { ec2, act, record } = prepare({ [INSTANCE]: ["vol-root"] });
    ec2.snapshotVolume = () => Promise.reject(throttled);
    await expect(act(TARGET, "containment", 4)).rejects.toBe(throttled);

    await act(TARGET, "containment", 5);

    expect(await record()).toMatchObject({
      snapshots: [{ volumeId: "vol-root" }],
      notPreserved: [{ what: "vol-data", reason: throttled.message }],
    });
  });

  test("refuses the set because one volume was detached gets the others one by one", async () => {
    const { ec2, act, record } = prepare();
    ec2.snapshotInstance = () =>
      Promise.reject(new PermanentError("SnapshotRefused", "InvalidVolume.NotFound"));
    const { snapshotVolume } = ec2;
    ec2.snapshotVolume = (volumeId, tags) =>
      volumeId === "vol-data"
        ? Promise.reject(new PermanentError("SnapshotRefused", "vol-data was deleted"))
        : snapshotVolume(volumeId, tags);

    await act();

    expect(await record()).toMatchObject({
      snapshots: [{ volumeId: "vol-root" }],
      notPreserved: [{ what: INSTANCE }, { what: "vol-data", reason: "vol-data was deleted" }],
    });
  });

  test("has no room for more snapshots, or denies them, is written down for each", async () => {
    for (const error of [
      new PermanentError("SnapshotRefused", "SnapshotLimitExceeded"),
      new PermanentError("AwsDenied", "denied"),
    ]) {
      const { ec2, act } = prepare();
      ec2.snapshotInstance = () => Promise.reject(error);
      ec2.snapshotVolume = () => Promise.reject(error);

      const { snapshots, notPreserved } = await act();

      expect(snapshots).toBe(0);
      expect(notPreserved.map(({ what }) => what)).toEqual([INSTANCE, "vol-root", "vol-data"]);
    }
  });
});

test("a node whose object is gone, and one whose instance has lost its disks, are written down", async () => {
  const gone = prepare();
  gone.kubernetes.state.nodes = [];
  const emptied = prepare({ [INSTANCE]: [] });

  await gone.act();
  await emptied.act();

  expect(await gone.record()).toMatchObject({
    snapshots: [{ volumeId: "vol-data" }],
    notPreserved: [{ what: "node-1", reason: "the node is gone from the cluster" }],
  });
  expect(await emptied.record()).toMatchObject({
    snapshots: [{ volumeId: "vol-data" }],
    notPreserved: [{ what: "node-1", reason: expect.stringContaining("no EBS volume") }],
  });
});

test("a volume that was detached between two attempts is not forgotten", async () => {
  const attached: Record<string, string[]> = { [INSTANCE]: ["vol-root", "vol-9"] };
  const { ec2, act } = prepare(attached);
  const busy = new TransientError("AwsUnavailable", "busy");
  const { snapshotInstance } = ec2;
  ec2.snapshotInstance = () => Promise.reject(busy);
  await expect(act()).rejects.toBe(busy);
  attached[INSTANCE] = ["vol-root"];
  ec2.snapshotInstance = snapshotInstance;

  await act();

  expect(ec2.snapshots.map(({ volumeId }) => volumeId)).toEqual(
    expect.arrayContaining(["vol-root", "vol-9", "vol-data"]),
  );
});

test("while the kill switch holds no snapshot is made, and that is said", async () => {
  const { ec2, act } = prepare();

  const result = await act(TARGET, "containment", 0, ENGAGED);

  expect(result).toMatchObject({
    snapshots: 0,
    brakes: [{ withheld: "snapshots of the volumes" }],
  });
  expect(ec2.snapshots).toEqual([]);
});

test("two pods of a namespace on one node share its snapshots", async () => {
  const { kubernetes, ec2, act } = prepare();
  kubernetes.state.pods.push(aPod({ metadata: { name: "checkout-2", uid: "2" } }));

  await act({ ...TARGET, kind: "namespace", name: "payments", uid: null });

  expect(ec2.snapshots.map(({ tags }) => tags.Pod)).toEqual(Array(2).fill("checkout-1 checkout-2"));
});

describe("copies in a forensic account", () => {
  const forensicAccount = { accountId: "222222222222", region: "eu-west-1" };
  function prepareWithAccount() {
    const prepared = prepare();
    prepared.ports.forensicAccount = forensicAccount;
    return prepared;
  }

  test("are not asked for where the settings name none", async () => {
    const { announcements, act, record } = prepare();

    await act();

    expect(announcements.copiesRequested).toEqual([]);
    expect(await record()).toMatchObject({ forensicCopy: null });
  });

  test("are asked for of every snapshot that did not fail, and the record says of which", async () => {
    const { ec2, announcements, act, record } = prepareWithAccount();
    await ec2.snapshotVolume("vol-root", { CaseID: "c-1" });
    ec2.become("error");

    await act();

    expect(announcements.copiesRequested).toEqual([
      { snapshotId: "snap-1", caseId: "c-1" },
      { snapshotId: "snap-2", caseId: "c-1" },
    ]);
    expect(await record()).toMatchObject({
      forensicCopy: { ...forensicAccount, askedFor: ["snap-1", "snap-2"] },
      notPreserved: [],
    });
  });

  test("are not asked for in an audit", async () => {
    const { announcements, act, record } = prepareWithAccount();

    await act(TARGET, "audit");

    expect(announcements.copiesRequested).toEqual([]);
    expect(await record()).toMatchObject({ forensicCopy: null });
  });

  test("that cannot be asked for cost no snapshot and no record", async () => {
    const { announcements, act, record } = prepareWithAccount();
    announcements.forensicCopiesRequested = () =>
      Promise.reject(new PermanentError("AwsDenied", "no right to put events"));

    const { snapshots, notPreserved } = await act();

    expect(snapshots).toBe(2);
    expect(notPreserved).toEqual([
      {
        what: "copies to account 222222222222 in eu-west-1",
        reason: "no right to put events",
      },
    ]);
    expect(await record()).toMatchObject({ forensicCopy: null, notPreserved });
  });

  test("killed before or after any call, the record names what was asked for", async () => {
    await killedEverywhere(
      prepareWithAccount,
      (ports) =>
        snapshotNodeEbs(
          {
            ...{ case: CASE, target: TARGET, uid: "uid-1", mode: "containment" },
            ...{ attempt: 0, killSwitch: RELEASED },
          },
          ports,
        ),
      async ({ announcements, record }, _, killed) => {
        const asked = announcements.copiesRequested.map(({ snapshotId }) => snapshotId);
        expect([...new Set(asked)], killed).toEqual(["snap-0", "snap-1"]);
        expect(await record(), killed).toMatchObject({
          forensicCopy: { askedFor: ["snap-0", "snap-1"] },
        });
      },
    );
  });
});

test("killed before or after any call, the next run has one locked snapshot for each volume", async () => {
  const calls = await killedEverywhere(
    () => prepare({ [INSTANCE]: ["vol-root", "vol-2"] }),
    (ports) =>
      snapshotNodeEbs(
        {
          case: CASE,
          target: TARGET,
          uid: "uid-1",
          mode: "containment",
          attempt: 0,
          killSwitch: RELEASED,
        },
        ports,
      ),
    async ({ ec2, record }, { snapshots }, killed) => {
      const volumeIds = ec2.snapshots.map(({ volumeId }) => volumeId).toSorted();
      expect(volumeIds, killed).toEqual(["vol-2", "vol-data", "vol-root"]);
      expect(ec2.locks.map(({ snapshotId }) => snapshotId).toSorted(), killed).toEqual(
        ec2.snapshots.map(({ snapshotId }) => snapshotId).toSorted(),
      );
      expect(snapshots, killed).toBe(3);
      expect(await record(), killed).toMatchObject({
        snapshots: [{}, {}, {}],
        locks: [{}, {}, {}],
        notPreserved: [],
      });
    },
  );

  expect(
    calls.filter((call) => /putOnce|snapshotInstance|snapshotVolume|lock$/.test(call)),
  ).toEqual([
    ...["store.putOnce", "volumes.snapshotInstance", "volumes.snapshotVolume"],
    ...["volumes.lock", "volumes.lock", "volumes.lock", "store.putOnce"],
  ]);
});
