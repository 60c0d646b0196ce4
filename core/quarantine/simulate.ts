import type { Denial, PolicySet } from "../policies.ts";
import { caseLabels, SUSPENDED_LABEL } from "./labels.ts";
import type { Plan } from "./plan.ts";
import type { Write } from "./steps.ts";
import type { Observation } from "./verdict.ts";

/** The observation that the plan's writes would lead to: what an audit is judged on. */
export function afterSteps(plan: Plan, seen: Observation): Observation {
  const { target, order } = plan;
  const siblingsLeave = target.kind === "pod" && order !== null;
  const pods = siblingsLeave ? seen.pods.filter(({ uid }) => uid === target.uid) : seen.pods;
  return plan.phases
    .flatMap(({ steps }) => steps)
    .reduce((state, { write }) => afterWrite(state, write, plan.caseId), { ...seen, pods });
}

function afterWrite(seen: Observation, write: Write, caseId: string): Observation {
  if (write.action === "delete") return seen; // the plan creates it again
  if (write.action === "create") {
    return { ...seen, policies: withDenial(seen.policies, write.object) };
  }
  const { kind, name, uid } = write.object;
  if (kind === "Pod") {
    const labels = caseLabels(caseId);
    const pods = seen.pods.map((pod) => (pod.uid === uid ? { ...pod, labels } : pod));
    return { ...seen, pods };
  }
  const suspend = (policies: PolicySet["networkPolicies"]): PolicySet["networkPolicies"] =>
    policies.map((policy) =>
      policy.metadata.uid === uid && policy.metadata.name === name
        ? {
            ...policy,
            spec: { podSelector: { matchLabels: { [SUSPENDED_LABEL]: caseId } } },
          }
        : policy,
    );
  const { policies } = seen;
  return {
    ...seen,
    policies: {
      ...policies,
      networkPolicies: suspend(policies.networkPolicies),
      applicationNetworkPolicies: suspend(policies.applicationNetworkPolicies),
    },
  };
}

function withDenial(policies: PolicySet, denial: Denial): PolicySet {
  const others = <T extends { metadata: { name: string } }>(all: readonly T[]) =>
    all.filter(({ metadata }) => metadata.name !== denial.metadata.name);
  switch (denial.kind) {
    case "NetworkPolicy":
      return {
        ...policies,
        networkPolicies: [...others(policies.networkPolicies), denial],
      };
    case "ClusterNetworkPolicy":
      return {
        ...policies,
        clusterNetworkPolicies: [...others(policies.clusterNetworkPolicies), denial],
      };
    case "CiliumNetworkPolicy":
      return {
        ...policies,
        ciliumNetworkPolicies: [...others(policies.ciliumNetworkPolicies), denial],
      };
    case "GlobalNetworkPolicy":
      return { ...policies, calicoPolicies: [...others(policies.calicoPolicies), denial] };
  }
}
