import { expect, test } from "vitest";
import { memoryCluster } from "../../test/memory/cluster.ts";
import { memoryStore } from "../../test/memory/evidence-store.ts";
import type { PolicyKind } from "../policies.ts";
import { authenticate } from "./authenticate.ts";

const CLUSTER = {
  name: "prod-eks-1",
  endpoint: "https://x",
  certificateAuthority: "Y2E=",
  ipFamily: "ipv4",
} as const;
const INPUT = {
  case: { id: "c-1", runId: "r-1" },
  target: {
    cluster: "prod-eks-1",
    namespace: "payments",
    kind: "namespace",
    name: "payments",
    uid: null,
  },
} as const;

function ports(kubernetes = memoryCluster()) {
  const store = memoryStore();
  return {
    clusters: { describe: async () => CLUSTER },
    connect: () => kubernetes,
    store,
    now: () => new Date("2026-11-22T17:55:00.000Z"),
  };
}

test("says where the cluster is and proves that evidence can be written", async () => {
  const real = ports();

  const { cluster, network, artefacts } = await authenticate(INPUT, real);

  expect(cluster).toEqual(CLUSTER);
  expect(network).toMatchObject({ cni: null, enforcing: "unknown" });
  expect(artefacts.map(({ key }) => key)).toEqual(["runs/r-1/authentication.json"]);
});

test("names every right that is missing, before anything is written", async () => {
  const kubernetes = memoryCluster({
    denied: [
      { verb: "patch", group: "", resource: "pods" },
      { verb: "create", group: "networking.k8s.io", resource: "networkpolicies" },
    ],
  });
  const real = ports(kubernetes);

  const failure = authenticate(INPUT, real);

  await expect(failure).rejects.toMatchObject({ name: "PermissionMissing" });
  await expect(failure).rejects.toThrow(
    "apply-policy may not patch pods, create networkpolicies.networking.k8s.io",
  );
  expect(real.store.objects.size).toBe(0);
});

test("asks only for rights on kinds of policy that the cluster knows", async () => {
  const clusterPolicies = {
    verb: "create",
    group: "",
    resource: "clusternetworkpolicies",
  } as const;
  const without = ports(memoryCluster({ denied: [clusterPolicies] }));
  const policyKinds: PolicyKind[] = ["NetworkPolicy", "ClusterNetworkPolicy"];
  const withThem = ports(memoryCluster({ denied: [clusterPolicies], policyKinds }));

  await expect(authenticate(INPUT, without)).resolves.toBeDefined();
  await expect(authenticate(INPUT, withThem)).rejects.toThrow(
    "may not create clusternetworkpolicies.networking.k8s.aws",
  );
});
