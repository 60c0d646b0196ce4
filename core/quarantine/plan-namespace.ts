import type { NetworkPolicy } from "../policies.ts";
import type { ProvenNamespace } from "../target/prove.ts";
import { allowsAnything, before } from "./before.ts";
import { denyAll, strongestDenial } from "./denials.ts";
import { gitOpsNote } from "./notes.ts";
import { atOnce, common, overriding, type Plan, type PlanInput } from "./plan.ts";
import { createDenial, suspend } from "./steps.ts";

export interface NamespaceInput extends PlanInput {
  readonly target: ProvenNamespace;
}

/**
 * Plans the quarantine of a namespace: one deny-all policy for everything in it, by setting every
 * other policy that allows pointed at nothing, and the strongest policy that the CNI has.
 */
export function planNamespaceQuarantine(input: NamespaceInput): Plan {
  const { target, network, caseId, mode, settings } = input;
  const deny = createDenial(
    denyAll(target, caseId),
    "deny everything in the namespace that no other policy allows",
  );
  const allowing = suspendable(input).filter(({ policy }) => allowsAnything(policy));
  const suspended = settings.otherPolicies[mode] === "suspend" ? allowing : [];
  const suspensions = suspended.map(({ policy, object }) => suspend(policy, object, caseId));
  const strongest = overriding(strongestDenial(target, caseId, network));
  // The VPC CNI judges established flows once, when the first policy of its tier comes: by then
  // nothing may allow them any more.
  const waits = network.cni === "vpc" && strongest.length > 0 && suspended.length > 0;
  const names = suspended.map(({ object }) => object.name);
  return {
    ...common(input),
    target,
    order: null,
    affected: null,
    phases: waits
      ? [
          atOnce([deny, ...suspensions]),
          {
            after: { until: "suspended", policies: names },
            otherwise: "carryOut",
            steps: strongest,
          },
        ]
      : [atOnce([deny, ...strongest, ...suspensions])],
    notes: suspended.flatMap(({ policy, object }) => gitOpsNote(policy.metadata, object)),
    before: before(input),
  };
}

function suspendable({ policies, target }: NamespaceInput) {
  const of = (kind: string, apiVersion: string) => (policy: NetworkPolicy) => {
    const { name, uid = "" } = policy.metadata;
    return { policy, object: { apiVersion, kind, namespace: target.namespace, name, uid } };
  };
  return [
    ...policies.networkPolicies.map(of("NetworkPolicy", "networking.k8s.io/v1")),
    ...policies.applicationNetworkPolicies.map(
      of("ApplicationNetworkPolicy", "networking.k8s.aws/v1alpha1"),
    ),
  ];
}
