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

const DETECTED_AT = Date.parse("2026-11-22T17:55:00.000Z");
const AGE = { detectedAt: DETECTED_AT, now: DETECTED_AT + 60_000 };

const prove = (target: Partial<PodTarget>, pods: Pod[] = [aPod()], age = AGE) =>
  proveTarget({ ...TARGET, ...target }, age, memoryCluster({ pods }));

test("a pod is proven by name and the short id of its container", async () => {
  expect(await prove({})).toEqual({
    proven: true,
    target: { kind: "pod", namespace: "payments", name: "checkout-1", uid: "uid-1" },
    pod: aPod(),
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

test("a container that the kubelet may not have reported yet is waited for", async () => {
  const young = { ...AGE, now: DETECTED_AT + 2_000 };

  await expect(prove({ containerId: "ffffffffffff" }, [aPod()], young)).rejects.toMatchObject({
    name: "TargetNotSettled",
  });
});

test("a pod known by name alone is not its successor, created after the alert", async () => {
  const successor = aPod({ metadata: { creationTimestamp: "2026-11-22T17:58:00Z" } });
  const skewed = aPod({ metadata: { creationTimestamp: "2026-11-22T17:55:05Z" } });

  expect(await prove({ containerId: null }, [successor])).toMatchObject({ proven: false });
  expect(await prove({ containerId: null }, [skewed])).toMatchObject({ proven: true });
});

test("a namespace is proven by being there", async () => {
  const target = {
    cluster: "c",
    namespace: "payments",
    kind: "namespace",
    name: "payments",
  } as const;

  expect(await proveTarget({ ...target, uid: null }, AGE, memoryCluster())).toMatchObject({
    proven: true,
  });
  expect(await proveTarget({ ...target, uid: "other" }, AGE, memoryCluster())).toMatchObject({
    proven: false,
  });
  expect(
    await proveTarget({ ...target, uid: null }, AGE, memoryCluster({ namespaces: [] })),
  ).toMatchObject({ proven: false });
});
