import type { Labels } from "../kubernetes.ts";
import type { ClusterNetworkPolicy, NetworkPolicy } from "../policies.ts";
import type { NamespaceInput } from "./plan-namespace.ts";
import type { PodInput } from "./plan-pod.ts";
import { selects } from "./selector.ts";
import { podIdentifier } from "./vpc-cni/identifier.ts";

/**
 * How the target stood when the plan was made. On the VPC CNI it decides what becomes of established
 * flows, and what a node's agent may still remember.
 */
export interface Before {
  /** Whether a policy of that tier selected the pod, or a pod that shares its identifier. */
  readonly selected: { readonly networkPolicy: boolean; readonly clusterNetworkPolicy: boolean };
  /** Names of the policies among these that allowed anything. */
  readonly allowing: readonly string[];
  /** What the pod bore; empty for a namespace. */
  readonly labels: Labels;
}

/** What was seen longer ago than this when it was acted on may not have been true any more. */
const FRESH_MS = 60_000;

/** Whether what a plan says of how its target stood can be taken as how it stood then. */
export function isFresh(plannedAt: string, then: Date): boolean {
  return then.getTime() - Date.parse(plannedAt) <= FRESH_MS;
}

/** What is not known: a pod that may have been selected may keep its flows. */
export function notKnown(before: Before): Before {
  return { ...before, selected: { networkPolicy: true, clusterNetworkPolicy: true } };
}

/** Of two looks: what one saw was true, and an agent may remember it. */
export function both(one: Before, other: Before): Before {
  const either = (kind: keyof Before["selected"]) => one.selected[kind] || other.selected[kind];
  return {
    selected: {
      networkPolicy: either("networkPolicy"),
      clusterNetworkPolicy: either("clusterNetworkPolicy"),
    },
    allowing: [...new Set([...one.allowing, ...other.allowing])],
    labels: one.labels,
  };
}

type PodFacts = Pick<PodInput, "pod" | "surroundings" | "network">;

/** Pessimistic where something was not read: a pod that was selected keeps its flows. */
export function before(
  input: Pick<NamespaceInput, "policies" | "namespaceLabels"> & (PodFacts | object),
): Before {
  const { policies, namespaceLabels } = input;
  const ofPod = "pod" in input ? input : null;
  const bearers = ofPod && bearersOf(ofPod);
  const concerns = (select: (labels: Labels) => boolean) => bearers?.some(select) ?? true;
  const networkPolicies = [
    ...policies.networkPolicies,
    ...policies.applicationNetworkPolicies,
  ].filter(({ spec }) => concerns((labels) => selects(spec.podSelector ?? {}, labels)));
  const clusterNetworkPolicies = policies.clusterNetworkPolicies.filter(
    (policy) =>
      selectsNamespace(policy, namespaceLabels) &&
      concerns((labels) => selects(policy.spec.subject.pods?.podSelector ?? {}, labels)),
  );
  return {
    selected: {
      networkPolicy: networkPolicies.length > 0,
      clusterNetworkPolicy: clusterNetworkPolicies.length > 0,
    },
    allowing: [
      ...networkPolicies.filter(allowsAnything),
      ...clusterNetworkPolicies.filter(accepts),
    ].map(({ metadata }) => metadata.name),
    labels: ofPod?.pod.metadata.labels ?? {},
  };
}

/** True when the policy has any rule: a rule can only allow. */
export function allowsAnything({ spec }: NetworkPolicy): boolean {
  return (spec.ingress ?? []).length > 0 || (spec.egress ?? []).length > 0;
}

export function accepts({ spec }: ClusterNetworkPolicy): boolean {
  return [...(spec.ingress ?? []), ...(spec.egress ?? [])].some(({ action }) => action !== "Deny");
}

/** Whose labels count: the pod's, and its siblings'; null for anybody's, when not all were read. */
function bearersOf({ pod, surroundings, network }: PodFacts): readonly Labels[] | null {
  const labels = pod.metadata.labels ?? {};
  if (network.cni !== "vpc") return [labels];
  if (!surroundings || surroundings.pods.remaining > 0) return null;
  const identifier = podIdentifier(pod.metadata.name);
  const siblings = surroundings.pods.items.filter(
    ({ metadata }) => podIdentifier(metadata.name) === identifier,
  );
  return [labels, ...siblings.map(({ metadata }) => metadata.labels ?? {})];
}

export function selectsNamespace({ spec }: ClusterNetworkPolicy, labels: Labels): boolean {
  const { namespaces, pods } = spec.subject;
  return selects(namespaces ?? pods?.namespaceSelector ?? {}, labels);
}
