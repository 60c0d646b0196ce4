import { PermanentError } from "../errors.ts";
import type { ConfigMap, DaemonSet, Kubernetes } from "../kubernetes.ts";
import type { PolicyKind } from "../policies.ts";

export const CNIS = ["vpc", "cilium", "calico"] as const;
export type Cni = (typeof CNIS)[number];

/** What enforces policies in a cluster, as far as its own API shows it. */
export interface NetworkFacts {
  /** Null: nothing that the product knows was found. */
  readonly cni: Cni | null;
  /** `unknown` is never taken for `on`. */
  readonly enforcing: "on" | "off" | "unknown";
  /** The VPC CNI's NETWORK_POLICY_ENFORCING_MODE; null for other CNIs. */
  readonly mode: "standard" | "strict" | "unknown" | null;
  readonly ipFamily: "ipv4" | "ipv6";
  /** The kinds of policy that the API server serves. */
  readonly policyKinds: readonly PolicyKind[];
  /** What these facts were concluded from, a sentence each. */
  readonly seen: readonly string[];
}

/** What the API shows of a CNI. */
export interface NetworkObservation {
  readonly policyKinds: readonly PolicyKind[];
  readonly daemonSets: readonly DaemonSet[];
  /** ConfigMap `amazon-vpc-cni` of kube-system. */
  readonly vpcCniConfig: ConfigMap | null;
  /** What could not be read, in words. */
  readonly unread: readonly string[];
  readonly ipFamily: "ipv4" | "ipv6";
}

/** Calico's operator puts its agents into a namespace of their own. */
const AGENT_NAMESPACES = ["kube-system", "calico-system"];

/** Reads what `networkFacts` concludes from: four requests, whatever the size of the cluster. */
export async function observeNetwork(
  kubernetes: Kubernetes,
  ipFamily: "ipv4" | "ipv6",
): Promise<NetworkObservation> {
  const unread: string[] = [];
  /** Not to be let in makes the CNI unknown; it must not stop a containment. */
  const unlessForbidden = <T>(read: Promise<T>, otherwise: T): Promise<T> =>
    read.catch((error: unknown) => {
      if (!(error instanceof PermanentError)) throw error;
      unread.push(error.message);
      return otherwise;
    });
  const [policyKinds, vpcCniConfig, ...daemonSets] = await Promise.all([
    kubernetes.policyKinds(),
    unlessForbidden(kubernetes.configMap("kube-system", "amazon-vpc-cni"), null),
    ...AGENT_NAMESPACES.map((namespace) => unlessForbidden(kubernetes.daemonSets(namespace), [])),
  ]);
  return { policyKinds, vpcCniConfig, daemonSets: daemonSets.flat(), ipFamily, unread };
}

/**
 * Concludes which CNI enforces. Cilium and Calico may run beside the VPC CNI, which then only gives
 * addresses: they are looked for first.
 */
export function networkFacts(observed: NetworkObservation): NetworkFacts {
  const { policyKinds, ipFamily, unread } = observed;
  if (unread.length > 0) {
    return { cni: null, enforcing: "unknown", mode: null, ipFamily, policyKinds, seen: unread };
  }
  const agent = (name: string) => observed.daemonSets.some((each) => each.metadata.name === name);
  const common = { ipFamily, policyKinds };
  const served = (kind: PolicyKind) => `the API server serves ${kind}`;
  const runs = (name: string) => `DaemonSet ${name} is there`;

  if (agent("cilium") && policyKinds.includes("CiliumNetworkPolicy")) {
    const seen = [runs("cilium"), served("CiliumNetworkPolicy")];
    return { ...common, cni: "cilium", enforcing: "on", mode: null, seen };
  }
  if (agent("calico-node") && policyKinds.includes("CalicoGlobalNetworkPolicy")) {
    const seen = [runs("calico-node"), served("CalicoGlobalNetworkPolicy")];
    return { ...common, cni: "calico", enforcing: "on", mode: null, seen };
  }
  return vpcFacts(observed) ?? unknownFacts(observed);
}

function unknownFacts({ ipFamily, policyKinds, daemonSets }: NetworkObservation): NetworkFacts {
  const names = daemonSets.map(({ metadata }) => metadata.name).join(", ") || "none";
  const seen = [
    "no CNI that the product knows was found",
    `DaemonSets of ${AGENT_NAMESPACES.join(" and ")}: ${names}`,
  ];
  return { cni: null, enforcing: "unknown", mode: null, ipFamily, policyKinds, seen };
}

/**
 * The VPC CNI enforces when its node agent was started with network policy on, and the controller
 * in the control plane was switched on and has a kind to write to. On Auto Mode nodes the agent is
 * part of the node: there is no DaemonSet. Source: the agent's and the controller's own code.
 */
function vpcFacts(observed: NetworkObservation): NetworkFacts | null {
  const { policyKinds, ipFamily, vpcCniConfig } = observed;
  const awsNode = observed.daemonSets.find(({ metadata }) => metadata.name === "aws-node");
  const controller = vpcCniConfig?.data?.["enable-network-policy-controller"];
  if (!awsNode && controller === undefined) return null;

  const flag = awsNode ? agentFlag(awsNode) : undefined;
  const hasEndpoints = policyKinds.includes("PolicyEndpoint");
  const agentOff = awsNode !== undefined && flag !== "true";
  const off = agentOff || controller === "false";
  const enforcing = off ? "off" : controller === "true" && hasEndpoints ? "on" : "unknown";
  return {
    cni: "vpc",
    enforcing,
    mode: awsNode ? enforcingMode(awsNode) : "unknown",
    ipFamily,
    policyKinds,
    seen: [
      awsNode
        ? `DaemonSet aws-node: --enable-network-policy=${flag ?? "(not given)"}`
        : "no DaemonSet aws-node: Auto Mode, or no node agent",
      `ConfigMap amazon-vpc-cni: enable-network-policy-controller=${controller ?? "(not given)"}`,
      `PolicyEndpoints are ${hasEndpoints ? "" : "not "}served`,
    ],
  };
}

/** `--enable-network-policy=true` of whichever container has it; a bare flag means true. */
function agentFlag({ spec }: DaemonSet): string | undefined {
  const flag = "--enable-network-policy";
  for (const { args = [] } of spec.template.spec.containers) {
    const at = args.findIndex((arg) => arg === flag || arg.startsWith(`${flag}=`));
    if (at >= 0) return args[at]?.slice(flag.length + 1) || "true";
  }
  return undefined;
}

function enforcingMode({ spec }: DaemonSet): NonNullable<NetworkFacts["mode"]> {
  const values = spec.template.spec.containers.flatMap(({ env = [] }) =>
    env.filter(({ name }) => name === "NETWORK_POLICY_ENFORCING_MODE").map(({ value }) => value),
  );
  const [mode = "standard"] = values; // the agent's own default
  return mode === "standard" || mode === "strict" ? mode : "unknown";
}
