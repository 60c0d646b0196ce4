import type { CalicoPolicy, CiliumNetworkPolicy, CiliumRule, PolicySet } from "../policies.ts";
import { denialsOf, type Plan } from "./plan.ts";

/**
 * The policies as if each that allows anything selected every pod, and none of others denied
 * anything: what may come to be allowed in a namespace. The case's own policies stay what they are;
 * they are known by kind and name, for a label is what anybody can set.
 */
export function widened(policies: PolicySet, plan: Plan): PolicySet {
  const own = new Set(denialsOf(plan).map(({ kind, metadata }) => `${kind} ${metadata.name}`));
  const kept = ({ kind, metadata }: { kind?: string; metadata: { name: string } }) =>
    own.has(`${kind} ${metadata.name}`);
  return {
    networkPolicies: policies.networkPolicies.map((policy) =>
      kept(policy) ? policy : { ...policy, spec: { ...policy.spec, podSelector: {} } },
    ),
    applicationNetworkPolicies: policies.applicationNetworkPolicies.map((policy) => ({
      ...policy,
      spec: { ...policy.spec, podSelector: {} },
    })),
    clusterNetworkPolicies: policies.clusterNetworkPolicies.map((policy) => {
      const { subject, ingress = [], egress = [] } = policy.spec;
      if (kept(policy) || !subject.pods) return policy;
      const allowing = ({ action }: { action: string }) => action !== "Deny";
      return {
        ...policy,
        spec: {
          ...policy.spec,
          subject: { namespaces: subject.pods.namespaceSelector },
          ingress: ingress.filter(allowing),
          egress: egress.filter(allowing),
        },
      };
    }),
    ciliumNetworkPolicies: policies.ciliumNetworkPolicies.map((policy) =>
      kept(policy) ? policy : widenCilium(policy),
    ),
    calicoPolicies: policies.calicoPolicies.map((policy) =>
      kept(policy) ? policy : widenCalico(policy),
    ),
  };
}

function widenCilium(policy: CiliumNetworkPolicy): CiliumNetworkPolicy {
  const widen = (rule: CiliumRule): CiliumRule => {
    const { ingressDeny: _in, egressDeny: _out, ...allowing } = rule;
    return { ...allowing, endpointSelector: {} };
  };
  const { spec, specs } = policy;
  return {
    ...policy,
    ...(spec && { spec: widen(spec) }),
    ...(specs && { specs: specs.map(widen) }),
  };
}

function widenCalico(policy: CalicoPolicy): CalicoPolicy {
  const allowing = ({ action }: { action: string }) => action !== "Deny";
  const { ingress = [], egress = [] } = policy.spec;
  return {
    ...policy,
    spec: {
      ...policy.spec,
      selector: "all()",
      ingress: ingress.filter(allowing),
      egress: egress.filter(allowing),
    },
  };
}
