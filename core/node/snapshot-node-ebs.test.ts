import { expect, test } from "vitest";
import { aPod, memoryCluster } from "../../test/memory/cluster.ts";
import { memoryStore } from "../../test/memory/evidence-store.ts";
import { memoryVolumes } from "../../test/memory/volumes.ts";
import type { Mode } from "../alert/alert.ts";
import { PermanentError } from "../errors.ts";
import type { Target } from "../target/target.ts";
import { snapshotNodeEbs } from "./snapshot-node-ebs.ts";

const CASE = { id: "c-1", runId: "r-1" };
const INSTANCE = "i-0123456789abcdef0";
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
  const act = (target: Target = TARGET, mode: Mode = "containment") =>
    snapshotNodeEbs(
      { case: CASE, target, uid: "uid-1", mode },
      { kubernetes, volumes: ec2, store, now: () => new Date("2026-11-22T17:55:00.000Z") },
    );
  const record = async () =>
    (await store.read<Record<string, unknown>>("runs/r-1/volumes.json"))?.document;
  return { kubernetes, ec2, store, act, record };
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
