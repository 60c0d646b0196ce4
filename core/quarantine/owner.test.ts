import { expect, test } from "vitest";
import { aPod, memoryCluster } from "../../test/memory/cluster.ts";
import type { ObjectMeta, Workload, WorkloadKind } from "../kubernetes.ts";
import { readOwner } from "./owner.ts";

const owned = (kind: string, name: string): Partial<ObjectMeta> => ({
  ownerReferences: [{ kind, name, uid: `uid-of-${name}`, controller: true }],
});

function workload(
  kind: WorkloadKind,
  name: string,
  selected: Record<string, string>,
  metadata: Partial<ObjectMeta> = {},
): Workload & { readonly kind: WorkloadKind } {
  return {
    kind,
    metadata: { name, namespace: "payments", uid: `uid-of-${name}`, ...metadata },
    spec: { selector: { matchLabels: selected } },
  };
}

const APP = { app: "checkout" };
const workloads = [
  workload("ReplicaSet", "checkout-6d8f", APP, owned("Deployment", "checkout")),
  workload("Deployment", "checkout", APP),
  workload("Deployment", "victim", { app: "victim" }),
  workload("StatefulSet", "other", { app: "other" }),
];
const ownerOf = (metadata: Partial<ObjectMeta>) =>
  readOwner(memoryCluster({ workloads }), aPod({ metadata }));

test("a pod of a Deployment is found through its ReplicaSet", async () => {
  expect(await ownerOf(owned("ReplicaSet", "checkout-6d8f"))).toMatchObject({
    kind: "Deployment",
    workload: { metadata: { name: "checkout" } },
  });
});

test.each([
  ["a Deployment, which never owns a pod", owned("Deployment", "victim")],
  ["a workload that does not select it", owned("StatefulSet", "other")],
  ["a workload that is gone", owned("Job", "gone")],
  ["a kind that is not known", owned("Rollout", "checkout")],
])("a pod that claims %s makes nothing be done to it", async (_, metadata) => {
  expect(await ownerOf(metadata)).toMatchObject({ kind: "unknown" });
});

test("a pod without controller has no owner", async () => {
  expect(await ownerOf({})).toEqual({ kind: "none" });
});
