import type { NetworkFacts } from "../../core/cluster/network.ts";
import type { QuarantineSettings } from "../../core/quarantine/settings.ts";

/** What the states of a quarantine are given, for unit tests. */
export const SETTINGS: QuarantineSettings = {
  order: {
    critical: "fast",
    high: "fast",
    medium: "clean",
    low: "clean",
    informational: "clean",
  },
  workload: "keep",
  otherPolicies: { containment: "report", audit: "report" },
  recreateToCutFlows: false,
};

/** A CNI that judges pod by pod and cuts flows at once: nothing but the steps is looked at. */
export const CILIUM: NetworkFacts = {
  cni: "cilium",
  enforcing: "on",
  mode: null,
  ipFamily: "ipv4",
  policyKinds: ["NetworkPolicy", "CiliumNetworkPolicy"],
  seen: ["DaemonSet cilium is there"],
};

/** What a cluster shows from which the facts of CILIUM are concluded. */
export const CILIUM_CLUSTER = {
  policyKinds: [...CILIUM.policyKinds],
  daemonSets: [
    {
      metadata: { name: "cilium" },
      spec: { template: { spec: { containers: [] } } },
      status: { numberReady: 2 },
    },
  ],
  configMaps: [{ metadata: { name: "cilium-config" }, data: {} }],
};

export const VPC: NetworkFacts = {
  ...CILIUM,
  cni: "vpc",
  mode: "standard",
  policyKinds: ["NetworkPolicy", "PolicyEndpoint", "ClusterNetworkPolicy"],
  seen: ["DaemonSet aws-node is there"],
};

/** As Authenticate finds that one. */
export const VPC_CLUSTER = {
  policyKinds: [...VPC.policyKinds],
  daemonSets: [
    {
      metadata: { name: "aws-node" },
      spec: {
        template: {
          spec: {
            containers: [
              {
                name: "aws-node",
                env: [{ name: "NETWORK_POLICY_ENFORCING_MODE", value: "standard" }],
              },
              { name: "aws-eks-nodeagent", args: ["--enable-network-policy=true"] },
            ],
          },
        },
      },
      status: { numberReady: 2 },
    },
  ],
  configMaps: [
    {
      metadata: { name: "amazon-vpc-cni" },
      data: { "enable-network-policy-controller": "true" },
    },
  ],
};
