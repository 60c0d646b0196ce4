import type { NetworkFacts } from "../cluster/network.ts";
import type { Labels, PolicyEndpoint } from "../kubernetes.ts";
import type { PolicySet } from "../policies.ts";
import { sameSpec } from "./carry-out.ts";
import type { Completion } from "./complete-policy.ts";
import { CASE_LABEL } from "./labels.ts";
import { denialsOf, type Plan } from "./plan.ts";
import { describePolicy } from "./reach/model.ts";
import { type Openings, openingsOf } from "./reach/openings.ts";
import { type Reason, some } from "./reasons.ts";
import type { SeenPod } from "./seen-pod.ts";
import { identifierReasons } from "./vpc-cni/reasons.ts";
import { widened } from "./widened.ts";

/** What was read back proves; never what was sent. */
export type Verdict =
  | { readonly verdict: "contained"; readonly reasons: readonly [] }
  | { readonly verdict: "partial" | "notEnforceable"; readonly reasons: readonly Reason[] };

/** The target's namespace as it was read back. */
export interface Observation {
  readonly namespaceLabels: Labels;
  /** The pods of the namespace; for a pod, at least those that share its identifier. */
  readonly pods: readonly SeenPod[];
  readonly policies: PolicySet;
  /** What the VPC CNI's controller resolved; null where there is no such controller. */
  readonly endpoints: readonly PolicyEndpoint[] | null;
  /** What the later phases of the plan came to; null when it has none, or nothing was written. */
  readonly completion: Completion | null;
}

/**
 * Judges what was read back against the plan. `contained` is said when nothing is left that could
 * let a packet of the target pass but its own node, and when the CNI that is there is known to
 * enforce what stands in the API.
 */
export function verdictOf(plan: Plan, seen: Observation): Verdict {
  const pods = targetPods(plan, seen.pods);
  if (plan.target.kind === "pod" && pods.length === 0) {
    return partial([
      { code: "podGone", message: "the pod is no longer there: nothing to cut off" },
    ]);
  }
  const unenforceable = notEnforced(plan, pods);
  const reasons = [
    ...denialReasons(plan, seen),
    ...labelReasons(plan, pods),
    ...openingReasons(plan, seen, pods),
    ...unenforceable,
    ...podsThat(
      "otherNetworks",
      "Multus gave further interfaces to",
      pods,
      (pod) => pod.otherNetworks,
    ),
    ...networkReasons(plan.network),
    ...resolutionReasons(plan, seen, pods),
    ...phaseReasons(seen),
    ...flowReasons(plan, seen, pods),
  ];
  if (reasons.length === 0) return { verdict: "contained", reasons: [] };
  const off = plan.network.enforcing === "off";
  const noneEnforced = off || (plan.target.kind === "pod" && unenforceable.length > 0);
  return noneEnforced ? { verdict: "notEnforceable", reasons } : partial(reasons);
}

function partial(reasons: readonly Reason[]): Verdict {
  return { verdict: "partial", reasons };
}

/** The pods that are to be cut off, those of them that still have a network. */
export function targetPods({ target }: Plan, pods: readonly SeenPod[]): readonly SeenPod[] {
  const living = pods.filter(({ ended }) => !ended);
  return target.kind === "pod" ? living.filter(({ uid }) => uid === target.uid) : living;
}

function denialReasons(plan: Plan, { policies }: Observation): Reason[] {
  const there = [
    ...policies.networkPolicies,
    ...policies.clusterNetworkPolicies,
    ...policies.ciliumNetworkPolicies,
    ...policies.calicoPolicies,
  ];
  return denialsOf(plan).flatMap((wanted): Reason[] => {
    const { kind, metadata } = wanted;
    const what = `${kind} ${metadata.name}`;
    const own = there.find(
      (policy) =>
        policy.metadata.name === metadata.name &&
        policy.kind === kind &&
        policy.metadata.deletionTimestamp === undefined &&
        policy.metadata.labels?.[CASE_LABEL] === plan.caseId,
    );
    if (!own) return [{ code: "policyMissing", message: `${what} is not there` }];
    if (sameSpec(own.spec, wanted.spec)) return [];
    return [{ code: "policyChanged", message: `${what} is no longer what the plan made it` }];
  });
}

function labelReasons(plan: Plan, pods: readonly SeenPod[]): Reason[] {
  if (plan.target.kind === "namespace") return [];
  const bare = pods.filter(({ labels }) => labels[CASE_LABEL] !== plan.caseId);
  if (bare.length === 0) return [];
  const message = `the pod does not bear ${CASE_LABEL}=${plan.caseId}: the policies miss it`;
  return [{ code: "labelMissing", message }];
}

function openingReasons(plan: Plan, seen: Observation, pods: readonly SeenPod[]): Reason[] {
  const { openings, unreadable } = openingsLeft(plan, seen, pods);
  const reasons: Reason[] = [];
  const policies = unique(openings.flatMap(({ by }) => (by ? [describePolicy(by)] : [])));
  if (policies.length > 0) {
    const [first] = openings.filter(({ by }) => by);
    const example = first
      ? ` (${first.direction} ${first.direction === "ingress" ? "from" : "to"} ${first.peers}, ${first.ports})`
      : "";
    const message = `other policies still allow traffic: ${some(policies)}${example}`;
    reasons.push({ code: "otherPolicyAllows", message, policies });
  }
  // AWS's VPC CNI is known not to look at Kubernetes' own policies for administrators.
  const admins = plan.network.cni === "vpc" ? [] : (seen.policies.adminPolicies ?? []);
  const strange = [
    ...unreadable.map(({ policy, why }) => ({ name: describePolicy(policy), why })),
    ...admins.map(({ kind, metadata }) => ({
      name: `${kind} ${metadata.name}`,
      why: "policies of policy.networking.k8s.io are not evaluated",
    })),
  ];
  if (strange.length > 0) {
    const why = unique(strange.map((each) => `${each.name}: ${each.why}`));
    const message = `policies that are not understood, taken as allowing: ${some(why)}`;
    const names = unique(strange.map(({ name }) => name));
    reasons.push({ code: "policyUnreadable", message, policies: names });
  }
  return reasons;
}

/** Of the blocks kept for documentation: no pod's, and yet of the family that pods have. */
const SOME_ADDRESS = { ipv4: "192.0.2.1", ipv6: "2001:db8::1" } as const;

/**
 * What still lets traffic pass. In a namespace every policy counts, whichever pods it selects now:
 * the next pod that starts there may be one that it allows.
 */
function openingsLeft(
  plan: Plan,
  { namespaceLabels, policies }: Observation,
  pods: readonly SeenPod[],
): Pick<Openings, "openings" | "unreadable"> {
  const { cni } = plan.network;
  if (plan.target.kind === "namespace") {
    const anyPod = {
      namespace: plan.target.namespace,
      name: "any pod",
      labels: {},
      namespaceLabels,
      ips: [SOME_ADDRESS[plan.network.ipFamily]],
      ports: [],
      hostNetwork: false,
    };
    return openingsOf(anyPod, widened(policies, plan), cni);
  }
  const [pod] = pods;
  if (!pod) return { openings: [], unreadable: [] };
  return openingsOf({ ...pod, hostNetwork: false, namespaceLabels }, policies, cni);
}

function notEnforced({ network }: Plan, pods: readonly SeenPod[]): Reason[] {
  const onHost = "on the node's network no policy applies";
  return [
    ...podsThat("hostNetwork", onHost, pods, (pod) => pod.hostNetwork),
    ...podsThat("fargate", "Fargate enforces no policy", pods, (pod) => pod.fargate),
    ...(network.cni === "calico"
      ? [] // Calico has an agent for Windows
      : podsThat("windows", "no policy is enforced on Windows", pods, (pod) => pod.windows)),
  ];
}

function podsThat(
  code: Reason["code"],
  what: string,
  pods: readonly SeenPod[],
  matching: (pod: SeenPod) => boolean,
): Reason[] {
  const names = pods.filter(matching).map(({ name }) => name);
  return names.length > 0 ? [{ code, message: `${what}: ${some(names)}`, pods: names }] : [];
}

function networkReasons({ cni, enforcing, mode, seen }: NetworkFacts): Reason[] {
  const found = seen.join("; ");
  if (enforcing === "off") {
    return [{ code: "networkPolicyOff", message: `network policy is switched off: ${found}` }];
  }
  if (cni === null || enforcing === "unknown") {
    return [{ code: "cniUnknown", message: `whether anything enforces is not known: ${found}` }];
  }
  if (cni === "vpc" && mode !== "standard") {
    const message = `the AWS VPC CNI enforces in mode ${mode}, only standard is proven`;
    return [{ code: "modeUnproven", message }];
  }
  return [];
}

/** The VPC CNI enforces what its controller has resolved, not what stands in a policy. */
function resolutionReasons(
  plan: Plan,
  { endpoints }: Observation,
  pods: readonly SeenPod[],
): Reason[] {
  if (endpoints === null || plan.mode === "audit" || plan.network.enforcing !== "on") return [];
  const listed = pods.filter(({ hostNetwork, ips }) => !hostNetwork && ips.length > 0);
  return denialsOf(plan).flatMap(({ kind, metadata }): Reason[] => {
    const resolved = new Set(
      endpoints
        .filter(
          ({ spec: { policyRef } }) =>
            policyRef.name === metadata.name && policyRef.namespace === metadata.namespace,
        )
        .flatMap(({ spec }) => spec.podSelectorEndpoints ?? [])
        .filter(({ namespace }) => namespace === plan.target.namespace)
        .map(({ name }) => name),
    );
    const names = listed.map(({ name }) => name).filter((name) => !resolved.has(name));
    if (names.length === 0) return [];
    const message = `the controller has not resolved ${kind} ${metadata.name} to: ${some(names)}`;
    return [{ code: "policyNotResolved", message, pods: names }];
  });
}

function phaseReasons({ completion }: Observation): Reason[] {
  const braked = completion?.braked ?? null;
  return [
    ...(braked
      ? [{ code: "braked" as const, message: `${braked.why}; withheld: ${braked.withheld}` }]
      : []),
    ...(completion?.phases ?? [])
      .filter(({ conditionMet }) => !conditionMet)
      .map(({ waitedFor }) => ({
        code: "phaseIncomplete" as const,
        message: `waited in vain ${waitedFor}`,
      })),
  ];
}

/** Whether connections that stood before are cut is the CNI's doing, not the policy's. */
function flowReasons(plan: Plan, seen: Observation, pods: readonly SeenPod[]): readonly Reason[] {
  const { cni, enforcing } = plan.network;
  if (enforcing === "off") return []; // nothing is cut at all
  if (cni === "cilium") return [];
  if (cni === "vpc") return identifierReasons(plan, seen, pods);
  const what = cni === "calico" ? "Calico does not cut them" : "an unknown CNI may not cut them";
  return [
    {
      code: "establishedFlowsMaySurvive",
      message: `connections from before the quarantine may live on: ${what}`,
    },
  ];
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}
