import type { NetworkFacts } from "../../core/cluster/network.ts";
import { aPod, aPolicy, type MemoryCluster, memoryCluster } from "./cluster.ts";
import { VPC } from "./quarantine-input.ts";

const labelled = { matchLabels: { app: "checkout" } };
const controlled = (kind: string, name: string) => [
  { kind, name, uid: `uid-of-${name}`, controller: true },
];
const workload = (kind: MemoryCluster["state"]["workloads"][number]["kind"], name: string) => ({
  kind,
  metadata: { name, namespace: "payments", uid: `uid-of-${name}` },
  spec: { replicas: 2, selector: labelled, template: { metadata: {} } },
});
const DEPLOYMENT = workload("Deployment", "checkout");

/** The workloads of a namespace by what controls the pod: nothing, or one of each kind. */
export const OWNERS = {
  nobody: [],
  Deployment: [
    {
      ...workload("ReplicaSet", "owner"),
      metadata: {
        ...workload("ReplicaSet", "owner").metadata,
        ownerReferences: controlled("Deployment", "checkout"),
      },
    },
    DEPLOYMENT,
  ],
  ReplicaSet: [workload("ReplicaSet", "owner")],
  StatefulSet: [workload("StatefulSet", "owner")],
  DaemonSet: [workload("DaemonSet", "owner")],
  Job: [workload("Job", "owner")],
} as const;
export type Owner = keyof typeof OWNERS;

/** A namespace with a pod, its claim, and a policy of every kind that can be suspended. */
export function aCluster(owner: Owner, { cni, policyKinds }: NetworkFacts = VPC): MemoryCluster {
  const agent = { vpc: "aws-node", cilium: "cilium", calico: "calico-node" }[cni ?? "vpc"];
  const kind = owner === "Deployment" ? "ReplicaSet" : owner;
  const ownerReferences = owner === "nobody" ? [] : controlled(kind, "owner");
  const volumes = [{ name: "data", persistentVolumeClaim: { claimName: "data-0" } }];
  const providerID = "aws:///us-east-1a/i-0123456789abcdef0";
  const csi = { driver: "ebs.csi.aws.com", volumeHandle: "vol-data" };
  return memoryCluster({
    policyKinds: [...policyKinds],
    daemonSets: [{ metadata: { name: agent }, spec: { template: { spec: { containers: [] } } } }],
    pods: [aPod({ metadata: { ownerReferences }, spec: { volumes } })],
    workloads: [...OWNERS[owner]],
    nodes: [{ metadata: { name: "node-1", uid: "uid-of-node-1" }, spec: { providerID } }],
    claims: [{ metadata: { name: "data-0", namespace: "payments" }, spec: { volumeName: "pv-1" } }],
    persistentVolumes: [{ metadata: { name: "pv-1" }, spec: { csi } }],
    serviceAccounts: [{ metadata: { name: "default", namespace: "payments" } }],
    bindings: [
      {
        metadata: { name: "everybody" },
        roleRef: { kind: "ClusterRole", name: "view" },
        subjects: [{ kind: "Group", name: "system:serviceaccounts" }],
      },
    ],
    policies: {
      networkPolicies: [aPolicy("allow", { podSelector: {}, ingress: [{}] })],
      applicationNetworkPolicies: [aPolicy("allow-app", { podSelector: {}, egress: [{}] })],
      clusterNetworkPolicies: [],
      ciliumNetworkPolicies: [],
      calicoPolicies: [],
    },
  });
}
