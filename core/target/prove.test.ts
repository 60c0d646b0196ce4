import { expect, test } from "vitest";
import { aPod, CONTAINER_ID, memoryCluster } from "../../test/memory/cluster.ts";
import type { Pod } from "../kubernetes.ts";
import { proveTarget } from "./prove.ts";
import type { PodTarget } from "./target.ts";

const TARGET: PodTarget = {
  cluster: "prod-eks-1",
  namespace: "payments",
  kind: "pod",
  name: "checkout-1",
  uid: null,
  containerId: "5c0ab5e4f1d3",
};

const prove = (target: Partial<PodTarget>, pods: Pod[] = [aPod()]) =>
  proveTarget({ ...TARGET, ...target }, memoryCluster({ pods }));

test("a pod is proven by name and the short id of its container, and its labels are kept", async () => {
  expect(await prove({})).toEqual({
    proven: true,
    target: {
      kind: "pod",
      pod: { namespace: "payments", name: "checkout-1", uid: "uid-1" },
      labels: { app: "checkout", "pod-template-hash": "6d8f" },
    },
  });
});

test.each([
  ["does not exist", { name: "gone" }, "does not exist"],
  ["lies in another namespace", { namespace: "other" }, "does not exist"],
  ["has another UID", { uid: "uid-of-its-predecessor" }, "its UID is uid-1"],
  ["has another container", { containerId: "ffffffffffff" }, "has no container ffffffffffff"],
  ["is named by a container id too short to mean one", { containerId: "5" }, "has no container"],
])("a pod that %s is not the target", async (_, change, reason) => {
  const proof = await prove(change);

  expect(proof.proven).toBe(false);
  expect(proof.proven ? "" : proof.reason).toContain(reason);
});

test("the last container of a pod that crash-loops still proves it", async () => {
  const lastState = { terminated: { containerID: `containerd://${CONTAINER_ID}` } };
  const status = {
    containerStatuses: [{ name: "checkout", containerID: "containerd://aaaa", lastState }],
  };

  expect((await prove({}, [{ ...aPod(), status }])).proven).toBe(true);
});

test("a namespace is proven by being there", async () => {
  const target = {
    cluster: "c",
    namespace: "payments",
    kind: "namespace",
    name: "payments",
  } as const;

  expect(await proveTarget({ ...target, uid: null }, memoryCluster())).toMatchObject({
    proven: true,
  });
  expect(await proveTarget({ ...target, uid: "other" }, memoryCluster())).toMatchObject({
    proven: false,
  });
  expect(
    await proveTarget({ ...target, uid: null }, memoryCluster({ namespaces: [] })),
  ).toMatchObject({ proven: false });
});
