import { PermanentError } from "../errors.ts";
import {
  CALICO_AGENT,
  type CniConfig,
  type ConfigMap,
  type DaemonSet,
  type Kubernetes,
  SYSTEM_NAMESPACE,
} from "../kubernetes.ts";
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
  /** ConfigMaps `amazon-vpc-cni` and `cilium-config` of kube-system. */
  readonly vpcCniConfig: ConfigMap | null;
  readonly ciliumConfig: ConfigMap | null;
  /** What could not be read, in words. */
  readonly unread: readonly string[];
  readonly ipFamily: "ipv4" | "ipv6";
}

/** Reads what `networkFacts` concludes from: five requests, whatever the size of the cluster. */
export async function observeNetwork(
  kubernetes: Pick<Kubernetes, "policyKinds" | "systemDaemonSets" | "calicoAgent" | "cniConfig">,
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
  const config = (name: CniConfig) => unlessForbidden(kubernetes.cniConfig(name), null);
  const [policyKinds, vpcCniConfig, ciliumConfig, system, calico] = await Promise.all([
    kubernetes.policyKinds(),
    config("amazon-vpc-cni"),
    config("cilium-config"),
    unlessForbidden(kubernetes.systemDaemonSets(), []),
    unlessForbidden(kubernetes.calicoAgent(), null),
  ]);
  const daemonSets = calico ? [...system, calico] : system;
  return { policyKinds, vpcCniConfig, ciliumConfig, daemonSets, ipFamily, unread };
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
  const agent = (name: string) => observed.daemonSets.find((each) => each.metadata.name === name);
  const common = { ipFamily, policyKinds };
  const served = (kind: PolicyKind) => `the API server serves ${kind}`;
  const runs = (name: string) => `DaemonSet ${name} is there`;

  const cilium = policyKinds.includes("CiliumNetworkPolicy") ? agent("cilium") : undefined;
  const calico = policyKinds.includes("CalicoGlobalNetworkPolicy")
    ? agent("calico-node")
    : undefined;
  if (cilium && calico) return unknownFacts(observed); // which of them decides is not known
  if (cilium && isEverywhere(cilium)) {
    const { enforcing, seen } = ciliumSettings(observed.ciliumConfig);
    const because = [runs("cilium"), served("CiliumNetworkPolicy"), ...seen];
    return {
      ...common,
      cni: "cilium",
      enforcing: ready(cilium, enforcing),
      mode: null,
      seen: because,
    };
  }
  if (calico && isEverywhere(calico)) {
    const seen = [runs("calico-node"), served("CalicoGlobalNetworkPolicy")];
    return { ...common, cni: "calico", enforcing: ready(calico, "on"), mode: null, seen };
  }
  return vpcFacts(observed) ?? unknownFacts(observed);
}

/** An agent of which none runs enforces nothing that one could rely on. */
function ready({ status }: DaemonSet, enforcing: NetworkFacts["enforcing"]) {
  return (status?.numberReady ?? 0) === 0 && enforcing === "on" ? "unknown" : enforcing;
}

/** Labels by which an agent may choose its nodes and still be on every one that runs Linux pods. */
const ON_ALL_NODES = ["kubernetes.io/os", "kubernetes.io/arch"];

/** False for an agent of some nodes only, as Cilium is on EKS clusters with hybrid nodes. */
function isEverywhere({ spec }: DaemonSet): boolean {
  const { nodeSelector = {}, affinity } = spec.template.spec;
  const { nodeSelectorTerms = [] } =
    affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? {};
  return (
    Object.keys(nodeSelector).every((key) => ON_ALL_NODES.includes(key)) &&
    nodeSelectorTerms.every(({ matchExpressions = [] }) =>
      matchExpressions.every(
        ({ key, operator }) =>
          ON_ALL_NODES.includes(key) || operator === "NotIn" || operator === "DoesNotExist",
      ),
    )
  );
}

/** Cilium can be told to let everything pass, and to leave labels out of what policies select by. */
function ciliumSettings(config: ConfigMap | null): {
  readonly enforcing: NetworkFacts["enforcing"];
  readonly seen: readonly string[];
} {
  const { "enable-policy": policy, "policy-audit-mode": audit, labels } = config?.data ?? {};
  if (policy === "never") return { enforcing: "off", seen: ["cilium-config: enable-policy=never"] };
  if (audit === "true")
    return { enforcing: "off", seen: ["cilium-config: policy-audit-mode=true"] };
  if (labels) return { enforcing: "unknown", seen: [`cilium-config: labels=${labels}`] };
  return config
    ? { enforcing: "on", seen: [] }
    : { enforcing: "unknown", seen: ["ConfigMap cilium-config is not there"] };
}

function unknownFacts({ ipFamily, policyKinds, daemonSets }: NetworkObservation): NetworkFacts {
  const names = daemonSets.map(({ metadata }) => metadata.name).join(", ") || "none";
  const seen = [
    "no CNI that the product knows was found",
    `DaemonSets of ${SYSTEM_NAMESPACE}, and ${CALICO_AGENT.name} of ${CALICO_AGENT.namespace}: ${names}`,
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
  const on = controller === "true" && hasEndpoints ? "on" : "unknown";
  const enforcing = off ? "off" : awsNode ? ready(awsNode, on) : on;
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
  const [variable] = spec.template.spec.containers.flatMap(({ env = [] }) =>
    env.filter(({ name }) => name === "NETWORK_POLICY_ENFORCING_MODE"),
  );
  if (!variable) return "standard"; // the agent's own default
  return variable.value === "standard" || variable.value === "strict" ? variable.value : "unknown";
}
