import type { ClusterNetworkPolicy, NetworkPolicy, PolicyName } from "../../policies.ts";
import { accepts, allowsAnything, selectsNamespace } from "../before.ts";
import { denialsOf, type Plan } from "../plan.ts";
import { describePolicy } from "../reach/model.ts";
import { type Reason, some } from "../reasons.ts";
import type { SeenPod } from "../seen-pod.ts";
import { selects } from "../selector.ts";
import type { Observation } from "../verdict.ts";
import {
  type EstablishedWhy,
  type OurClusterPolicy,
  quarantineOutlook,
  siblingsOf,
} from "./outlook.ts";

/**
 * What the AWS VPC CNI makes of a quarantine that stands as planned: it judges per pod identifier
 * and not per pod, and established flows only when the pod's kinds of policy change.
 */
export function identifierReasons(
  plan: Plan,
  seen: Observation,
  pods: readonly SeenPod[],
): readonly Reason[] {
  if (plan.target.kind === "namespace") return namespaceReasons(plan, seen);
  const [pod] = pods;
  if (!pod) return [];
  const allowing = (each: SeenPod) => allowingPolicies(plan, seen, each);
  const remembered = rememberedPolicies(plan, seen);
  const selecting = othersSelecting(plan, seen, pod);
  const outlook = quarantineOutlook({
    pod,
    siblings: siblingsOf(pod, seen.pods),
    allowing,
    allowedElsewhere: remembered.map(nameOf),
    selectedByOthers: selecting.length > 0,
    deniedInTime: deniedInTime(plan, remembered),
    pairBefore: plan.before.selected,
    ours: { networkPolicy: true, clusterPolicy: clusterPolicyOf(plan, seen) },
  });

  const reasons: Reason[] = [];
  const through = outlook.openThrough.filter((each) => each.pod !== pod.name);
  if (through.length > 0) {
    const names = through.map((each) => each.pod);
    const policies = unique(through.flatMap((each) => each.policies.map(describePolicy)));
    const message = `open as ${some(policies)} allows its siblings: ${some(names)}`;
    reasons.push({ code: "sharedIdentifierOpen", message, pods: names, policies });
  }
  const openOnceReloaded = unique((outlook.openOnceReloaded ?? []).map(describePolicy));
  if (openOnceReloaded.length > 0) {
    const loads =
      selecting.length > 0
        ? `loads them whenever pods of ${some(selecting.map(nameOf).map(describePolicy))} change`
        : "loads them when it next takes up all policies by itself, within 11 hours";
    const closed = outlook.untilResync.outsideIngress === "cut" ? "closed only until then: " : "";
    const message =
      `${closed}the agent on node ${pod.node ?? "(none yet)"} may still know rules of siblings that ` +
      `ran elsewhere, and ${loads}; it forgets them if its aws-node pod is restarted once the ` +
      `siblings are gone: ${some(openOnceReloaded)}`;
    reasons.push({ code: "sharedIdentifierOpen", message, policies: openOnceReloaded });
  }
  const cut = [...outlook.cutTogether, ...outlook.cutIfStartedSince];
  if (cut.length > 0) {
    const message = `cut off together with it, or once they are started again: ${some(cut)}`;
    reasons.push({ code: "sharedIdentifierCut", message, pods: cut });
  }
  const { establishedFlows } = outlook;
  if (establishedFlows.state === "mayBeOpen") {
    const which = establishedFlows.which === "idle" ? "idle connections" : "connections";
    const message = `${which} from before may live on: ${WHY[establishedFlows.why]}`;
    reasons.push({ code: "establishedFlowsMaySurvive", message });
  }
  return reasons;
}

const WHY: Readonly<Record<EstablishedWhy, string>> = {
  newFlowsMayBeOpen: "new ones may be open too",
  neverJudgedAgain: "the pod was under a policy before, and nothing made its node judge them anew",
  judgedWhileOpen: "they were judged anew while rules of its siblings were loaded",
  idleWhileRepaired: "only those in use were judged anew when the policy was made again",
};

/**
 * Identifiers end at the namespace, so in it there are no siblings that are not to be cut. Flows are
 * judged anew when the first ClusterNetworkPolicy comes, and by then nothing may allow them.
 */
function namespaceReasons(plan: Plan, seen: Observation): readonly Reason[] {
  const { selected, allowing } = plan.before;
  if (!selected.networkPolicy) return [];
  const suspended = plan.phases.flatMap(({ after }) =>
    after?.until === "suspended" ? after.policies : [],
  );
  const closedBefore = allowing.every((name) => suspended.includes(name)) && isComplete(plan, seen);
  if (hasClusterDenial(plan) && !selected.clusterNetworkPolicy && closedBefore) return [];
  const message = `connections of pods that were under a policy before may live on: ${WHY.neverJudgedAgain}`;
  return [{ code: "establishedFlowsMaySurvive", message }];
}

type AwsPolicy = NetworkPolicy | ClusterNetworkPolicy;

/** The policies of others that select a pod and allow anything. */
function allowingPolicies(plan: Plan, seen: Observation, pod: SeenPod): readonly PolicyName[] {
  return othersSelecting(plan, seen, pod).filter(allowsSomething).map(nameOf);
}

/** The policies that are not of the case and select a pod, whatever they say. */
function othersSelecting(
  plan: Plan,
  { policies, namespaceLabels }: Pick<Observation, "policies" | "namespaceLabels">,
  { labels }: Pick<SeenPod, "labels">,
): readonly AwsPolicy[] {
  const own = new Set(denialsOf(plan).map(({ kind, metadata }) => `${kind} ${metadata.name}`));
  return [
    ...[...policies.networkPolicies, ...policies.applicationNetworkPolicies].filter(({ spec }) =>
      selects(spec.podSelector ?? {}, labels),
    ),
    ...policies.clusterNetworkPolicies.filter(
      (policy) =>
        selectsNamespace(policy, namespaceLabels) &&
        selects(policy.spec.subject.pods?.podSelector ?? {}, labels),
    ),
  ].filter(({ kind, metadata }) => !own.has(`${kind} ${metadata.name}`));
}

function allowsSomething(policy: AwsPolicy): boolean {
  return isClusterPolicy(policy) ? accepts(policy) : allowsAnything(policy);
}

function isClusterPolicy(policy: AwsPolicy): policy is ClusterNetworkPolicy {
  return "subject" in policy.spec;
}

function nameOf({ kind, metadata }: AwsPolicy): PolicyName {
  return {
    kind: kind ?? "NetworkPolicy",
    namespace: metadata.namespace ?? null,
    name: metadata.name,
  };
}

/**
 * The agent on the pod's node keeps what it learned of siblings elsewhere for as long as the policy
 * exists. Where siblings ran is not known afterwards, so every policy that allowed them counts, the
 * ones that came since the plan was made too; a pod that was alone and is not replaced had none.
 */
function rememberedPolicies(
  plan: Plan,
  { policies, namespaceLabels }: Observation,
): readonly AwsPolicy[] {
  const { before, affected } = plan;
  const alone = affected?.workload === null && affected.siblings.length === 0;
  if (alone) return [];
  const now = othersSelecting(plan, { policies, namespaceLabels }, before).filter(allowsSomething);
  const then = [
    ...policies.networkPolicies,
    ...policies.applicationNetworkPolicies,
    ...policies.clusterNetworkPolicies,
  ].filter((policy) => before.allowing.includes(policy.metadata.name) && !now.includes(policy));
  return [...then, ...now];
}

/**
 * The plan writes labels and deny-all one right after the other. A run that was interrupted between
 * the two is not told apart, which is why this serves a message and no verdict.
 */
function deniedInTime(plan: Plan, remembered: readonly AwsPolicy[]): boolean {
  const { labels } = plan.before;
  return remembered.every(
    (policy) => !isClusterPolicy(policy) && selects(policy.spec.podSelector ?? {}, labels),
  );
}

function clusterPolicyOf(plan: Plan, seen: Observation): OurClusterPolicy {
  if (!hasClusterDenial(plan)) return "none";
  if (plan.order === null) return plan.before.allowing.length === 0 ? "onceClosed" : "whileOpen";
  if (!isComplete(plan, seen)) return "whileOpen";
  return plan.order === "clean" ? "onceClosed" : "againOnceClosed";
}

/** True when every later phase was carried out after what it waited for, or there is none. */
function isComplete(plan: Plan, { completion }: Observation): boolean {
  if (plan.mode === "audit" || plan.phases.length === 1) return true;
  return completion?.phases.every(({ conditionMet }) => conditionMet) ?? false;
}

function hasClusterDenial(plan: Plan): boolean {
  return denialsOf(plan).some(({ kind }) => kind === "ClusterNetworkPolicy");
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}
