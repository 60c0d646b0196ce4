import type { Mode } from "../alert/alert.ts";
import type { Labels, NetworkPolicy, Permission, PodRef } from "../kubernetes.ts";
import type { ProvenTarget } from "../target/prove.ts";

/** The label that ties a pod or a policy to the case that put it there. */
export const CASE_LABEL = "eks-containment/case";
export const MANAGED_BY_LABEL = "app.kubernetes.io/managed-by";
export const MANAGED_BY = "eks-containment";

/** One write, with what it replaces, so that it can be undone exactly. */
export type Step =
  | {
      readonly action: "replacePodLabels";
      readonly pod: PodRef;
      readonly labels: Labels;
      readonly undo: { readonly labels: Labels };
    }
  | {
      readonly action: "applyNetworkPolicy";
      readonly policy: NetworkPolicy;
      readonly undo: { readonly delete: { readonly namespace: string; readonly name: string } };
    };

/** Every write that will be made, in order. In audit mode the plan is the result. */
export interface Plan {
  readonly caseId: string;
  readonly mode: Mode;
  readonly target: ProvenTarget;
  readonly plannedAt: string;
  readonly steps: readonly Step[];
}

/** What the steps of any plan need from the cluster; Authenticate checks it before the first one. */
export const PLAN_PERMISSIONS: readonly Permission[] = [
  { verb: "get", group: "", resource: "pods" },
  { verb: "list", group: "", resource: "pods" },
  { verb: "patch", group: "", resource: "pods" },
  { verb: "get", group: "", resource: "namespaces" },
  { verb: "list", group: "networking.k8s.io", resource: "networkpolicies" },
  { verb: "create", group: "networking.k8s.io", resource: "networkpolicies" },
  { verb: "patch", group: "networking.k8s.io", resource: "networkpolicies" },
];

/**
 * Plans the quarantine of a proven target.
 *
 * A pod loses all its labels but ours: its controller releases it and starts a clean replacement,
 * Services stop sending to it, and allow policies that selected it by label no longer do. Then a
 * deny-all policy of the case's own selects it. Labels come first: the AWS VPC CNI takes about a
 * second to notice a label under a standing policy, and milliseconds to notice a new policy.
 *
 * A namespace gets one deny-all policy for everything in it.
 */
export function planQuarantine(
  target: ProvenTarget,
  caseId: string,
  mode: Mode,
  plannedAt: string,
): Plan {
  return { caseId, mode, target, plannedAt, steps: stepsFor(target, caseId) };
}

function stepsFor(target: ProvenTarget, caseId: string): readonly Step[] {
  if (target.kind === "namespace") {
    return [denyAll(target.namespace, "quarantine-deny-all", {}, caseId)];
  }
  const labels = { [CASE_LABEL]: caseId, [MANAGED_BY_LABEL]: MANAGED_BY };
  const { namespace } = target.pod;
  return [
    {
      action: "replacePodLabels",
      pod: target.pod,
      labels,
      undo: { labels: target.labels },
    },
    denyAll(namespace, `quarantine-${caseId}`, { matchLabels: { [CASE_LABEL]: caseId } }, caseId),
  ];
}

/** Both policy types with no rule: nothing in, nothing out. */
function denyAll(
  namespace: string,
  name: string,
  podSelector: NetworkPolicy["spec"]["podSelector"],
  caseId: string,
): Step {
  return {
    action: "applyNetworkPolicy",
    policy: {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: {
        name,
        namespace,
        labels: { [CASE_LABEL]: caseId, [MANAGED_BY_LABEL]: MANAGED_BY },
      },
      spec: { podSelector, policyTypes: ["Ingress", "Egress"] },
    },
    undo: { delete: { namespace, name } },
  };
}

/** The deny-all policy of a plan. */
export function quarantinePolicy(plan: Plan): NetworkPolicy {
  const step = plan.steps.find((each) => each.action === "applyNetworkPolicy");
  if (step?.action !== "applyNetworkPolicy") throw new Error("a plan without a policy");
  return step.policy;
}
