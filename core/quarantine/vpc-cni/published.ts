import type { LabelSelector, Labels } from "../../kubernetes.ts";
import { selects } from "../selector.ts";

/*
 * The policies that the model knows, and what the controller makes of each and publishes for the
 * agents. One namespace, and one endpoint object per policy: the controller splits large ones.
 */

export interface ModelPod {
  readonly name: string;
  readonly labels: Labels;
  readonly node: string;
}

/** `null`: the policy does not govern this direction. */
export type Grant = "everyone" | "pods" | "nobody" | null;

export type ModelPolicy =
  | {
      readonly kind: "NetworkPolicy";
      readonly name: string;
      readonly selector: LabelSelector;
      readonly ingress: Grant;
      readonly egress: Grant;
    }
  /** The one that we place: Admin tier, Deny egress to 0.0.0.0/0 and ingress from every pod. */
  | {
      readonly kind: "ClusterNetworkPolicy";
      readonly name: string;
      readonly selector: LabelSelector;
    };

/** True when something is open because of it. A direction that it does not govern is not. */
export function allows(policy: ModelPolicy): boolean {
  return (
    policy.kind === "NetworkPolicy" &&
    [policy.ingress, policy.egress].some((grant) => grant === "everyone" || grant === "pods")
  );
}

/** True when pods are peers in its rules: then it is resolved anew for any pod. */
export function namesPods(policy: ModelPolicy): boolean {
  return policy.kind === "ClusterNetworkPolicy" || [policy.ingress, policy.egress].includes("pods");
}

export type PolicyKey = `${ModelPolicy["kind"]}/${string}`;

export function keyOf({ kind, name }: Pick<ModelPolicy, "kind" | "name">): PolicyKey {
  return `${kind}/${name}`;
}

/** What the controller publishes: a PolicyEndpoint or ClusterPolicyEndpoint. */
export interface Endpoint {
  /** A policy that is deleted and created again gets another one; what was remembered is void. */
  readonly id: string;
  readonly policy: ModelPolicy;
  readonly pods: readonly { readonly name: string; readonly node: string }[];
  /** The pods that count as "pods" in its rules: those that were there when it was resolved. */
  readonly peers: readonly string[];
}

export type Published = ReadonlyMap<PolicyKey, Endpoint>;

export function kindOf(policy: PolicyKey): ModelPolicy["kind"] {
  return policy.startsWith("Cluster") ? "ClusterNetworkPolicy" : "NetworkPolicy";
}

/** What the policy comes to with these pods. */
export function endpointOf(policy: ModelPolicy, id: string, pods: readonly ModelPod[]): Endpoint {
  const sorted = pods.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return {
    id,
    policy,
    pods: sorted
      .filter(({ labels }) => selects(policy.selector, labels))
      .map(({ name, node }) => ({ name, node })),
    peers: namesPods(policy) ? sorted.map(({ name }) => name) : [],
  };
}
