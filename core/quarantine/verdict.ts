import type { NetworkPolicy, Pod } from "../kubernetes.ts";
import { CASE_LABEL, type Plan, quarantinePolicy } from "./plan.ts";
import { selects } from "./selector.ts";

/** Why a verdict is not `contained`. Policies are named so that a responder can look at them. */
export type Reason =
  | { readonly code: "podGone"; readonly message: string }
  | { readonly code: "labelMissing"; readonly message: string }
  | { readonly code: "policyMissing"; readonly message: string }
  | { readonly code: "policyChanged"; readonly message: string }
  | {
      readonly code: "otherPolicyAllows";
      readonly message: string;
      readonly policies: readonly string[];
    }
  | {
      readonly code: "hostNetwork";
      readonly message: string;
      readonly pods: readonly string[];
    }
  | { readonly code: "fargate"; readonly message: string; readonly pods: readonly string[] };

/** What was read back proves; never what was sent. */
export type Verdict =
  | { readonly verdict: "contained"; readonly reasons: readonly [] }
  | { readonly verdict: "partial" | "notEnforceable"; readonly reasons: readonly Reason[] };

/** The namespace of the target as it was read back. */
export interface Observation {
  readonly pods: readonly Pod[];
  readonly policies: readonly NetworkPolicy[];
}

/**
 * Judges what was read back against the plan. NetworkPolicies add up, so one other policy that
 * selects the pod and allows anything keeps that open whatever ours denies. Pods on the host's
 * network and on Fargate are not covered by any NetworkPolicy of the AWS VPC CNI.
 */
export function verdictOf(plan: Plan, seen: Observation): Verdict {
  const pods = quarantinedPods(plan, seen.pods);
  if (plan.target.kind === "pod" && pods.length === 0) {
    return partial([
      { code: "podGone", message: "the pod is no longer there: nothing to cut off" },
    ]);
  }
  const unenforceable = notEnforced(pods);
  const reasons = [...policyReasons(plan, seen), ...labelReasons(plan, pods), ...unenforceable];
  if (reasons.length === 0) return { verdict: "contained", reasons: [] };
  const noneEnforced = plan.target.kind === "pod" && unenforceable.length > 0;
  return noneEnforced ? { verdict: "notEnforceable", reasons } : partial(reasons);
}

function partial(reasons: readonly Reason[]): Verdict {
  return { verdict: "partial", reasons };
}

function quarantinedPods(plan: Plan, pods: readonly Pod[]): readonly Pod[] {
  const { target } = plan;
  return target.kind === "pod" ? pods.filter((pod) => pod.metadata.uid === target.pod.uid) : pods;
}

function policyReasons(plan: Plan, seen: Observation): Reason[] {
  const wanted = quarantinePolicy(plan);
  const own = seen.policies.find((policy) => policy.metadata.name === wanted.metadata.name);
  const reasons: Reason[] = [];
  if (!own) {
    reasons.push({ code: "policyMissing", message: `policy ${wanted.metadata.name} is not there` });
  } else if (allows(own) || !sameSelection(own, wanted)) {
    const message = `policy ${wanted.metadata.name} no longer denies everything to the target`;
    reasons.push({ code: "policyChanged", message });
  }
  const others = seen.policies
    .filter((policy) => policy.metadata.name !== wanted.metadata.name && allows(policy))
    .filter((policy) => reaches(plan, policy, seen.pods))
    .map((policy) => policy.metadata.name);
  if (others.length > 0) {
    const message = `other policies that select the target allow traffic: ${some(others)}`;
    reasons.push({ code: "otherPolicyAllows", message, policies: others });
  }
  return reasons;
}

/** A pod is reached by what selects its labels now; a namespace by every policy in it, because the
 * next pod that starts there may be the one that a policy allows. */
function reaches(plan: Plan, policy: NetworkPolicy, pods: readonly Pod[]): boolean {
  if (plan.target.kind === "namespace") return true;
  return quarantinedPods(plan, pods).some((pod) =>
    selects(policy.spec.podSelector, pod.metadata.labels ?? {}),
  );
}

/** True when the policy has any rule: a rule can only allow. */
function allows(policy: NetworkPolicy): boolean {
  return (policy.spec.ingress ?? []).length > 0 || (policy.spec.egress ?? []).length > 0;
}

function sameSelection(own: NetworkPolicy, wanted: NetworkPolicy): boolean {
  const types = new Set(own.spec.policyTypes);
  const labels = Object.entries(own.spec.podSelector.matchLabels ?? {});
  const wantedLabels = wanted.spec.podSelector.matchLabels ?? {};
  return (
    types.has("Ingress") &&
    types.has("Egress") &&
    (own.spec.podSelector.matchExpressions ?? []).length === 0 &&
    labels.length === Object.keys(wantedLabels).length &&
    labels.every(([key, value]) => wantedLabels[key] === value)
  );
}

function labelReasons(plan: Plan, pods: readonly Pod[]): Reason[] {
  if (plan.target.kind === "namespace") return [];
  const bare = pods.filter((pod) => pod.metadata.labels?.[CASE_LABEL] !== plan.caseId);
  if (bare.length === 0) return [];
  const message = `the pod does not carry ${CASE_LABEL}=${plan.caseId}: the policy misses it`;
  return [{ code: "labelMissing", message }];
}

function notEnforced(pods: readonly Pod[]): Reason[] {
  const names = (matching: readonly Pod[]) => matching.map((pod) => pod.metadata.name);
  const onHost = names(pods.filter((pod) => pod.spec.hostNetwork === true));
  const onFargate = names(pods.filter((pod) => pod.spec.nodeName?.startsWith("fargate-")));
  const reasons: Reason[] = [];
  if (onHost.length > 0) {
    const message = `on the host's network no policy applies: ${some(onHost)}`;
    reasons.push({ code: "hostNetwork", message, pods: onHost });
  }
  if (onFargate.length > 0) {
    const message = `Fargate enforces no NetworkPolicy: ${some(onFargate)}`;
    reasons.push({ code: "fargate", message, pods: onFargate });
  }
  return reasons;
}

/** The first names and how many more: all of them are in after.json, and state is limited. */
function some(names: readonly string[]): string {
  const shown = names.slice(0, 20).join(", ");
  return names.length > 20 ? `${shown} and ${names.length - 20} more` : shown;
}

/** The observation that the plan's steps would lead to: what an audit is judged on. */
export function afterSteps(plan: Plan, seen: Observation): Observation {
  let { pods, policies } = seen;
  for (const step of plan.steps) {
    if (step.action === "replacePodLabels") {
      pods = pods.map((pod) =>
        pod.metadata.uid === step.pod.uid
          ? { ...pod, metadata: { ...pod.metadata, labels: step.labels } }
          : pod,
      );
    } else {
      const { name } = step.policy.metadata;
      policies = [...policies.filter((policy) => policy.metadata.name !== name), step.policy];
    }
  }
  return { pods, policies };
}
