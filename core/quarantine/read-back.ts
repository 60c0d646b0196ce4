import { type NetworkFacts, networkFacts, observeNetwork } from "../cluster/network.ts";
import type { Artefact } from "../evidence/store.ts";
import type { Kubernetes, Pod } from "../kubernetes.ts";
import type { AppliedPolicy } from "./apply-policy.ts";
import { type Before, both, isFresh, notKnown } from "./before.ts";
import type { Completion } from "./complete-policy.ts";
import type { Plan } from "./plan.ts";
import { type SeenPod, seenPod } from "./seen-pod.ts";
import type { Observation } from "./verdict.ts";
import { podIdentifier } from "./vpc-cni/identifier.ts";

/**
 * The plan with the facts that hold now: the CNI may have been changed since Authenticate looked, and
 * policies may have come to select the pod before a redrive carried the plan out.
 */
export async function asSeenNow(
  plan: Plan,
  applied: AppliedPolicy | null,
  kubernetes: Parameters<typeof observeNetwork>[0],
): Promise<Plan> {
  const { network } = plan;
  const now = networkFacts(await observeNetwork(kubernetes, network.ipFamily));
  return {
    ...plan,
    network: now.cni === network.cni ? now : { ...now, cni: null, enforcing: "unknown" },
    before: beforeOf(plan, applied, now.policyKinds),
  };
}

/** How the target stood before its quarantine, which may have been made long after its plan. */
function beforeOf(
  { before, plannedAt, network }: Plan,
  applied: AppliedPolicy | null,
  kindsNow: NetworkFacts["policyKinds"],
): Before {
  if (!applied || isFresh(plannedAt, new Date(applied.quarantinedAt))) return before;
  // Of a kind that came since, no policy was looked at.
  const allSeen = kindsNow.every((kind) => network.policyKinds.includes(kind));
  return applied.before && allSeen ? both(before, applied.before) : notKnown(before);
}

/** Shows every pod of the target's namespace; answers with what was written down of them. */
export type Look = (see: (pod: Pod) => void) => Promise<readonly Artefact[]>;

/** Reads the target's namespace: what a verdict is made from. */
export async function observe(
  plan: Plan,
  completion: Completion | null,
  kubernetes: Pick<Kubernetes, "namespace" | "policies" | "policyEndpoints">,
  look: Look,
): Promise<{ readonly observed: Observation; readonly podPages: readonly Artefact[] }> {
  const { target, network } = plan;
  const pods: SeenPod[] = [];
  const see = (pod: Pod) => {
    if (concerns(plan, pod)) pods.push(seenPod(pod));
  };
  const [namespace, policies, endpoints, podPages] = await Promise.all([
    kubernetes.namespace(target.namespace),
    kubernetes.policies(target.namespace, network.policyKinds),
    network.cni === "vpc"
      ? kubernetes.policyEndpoints(target.namespace, network.policyKinds)
      : null,
    look(see),
  ]);
  const namespaceLabels = namespace?.metadata.labels ?? {};
  return { observed: { namespaceLabels, pods, policies, endpoints, completion }, podPages };
}

/** Goes through all pages, for whoever keeps nothing of them. */
export async function lookAtAll(pages: AsyncIterable<unknown>): Promise<readonly []> {
  for await (const _ of pages);
  return [];
}

/** The target, and on the VPC CNI those that share its identifier. */
function concerns({ target, network }: Plan, { metadata }: Pod): boolean {
  if (target.kind === "namespace" || metadata.uid === target.uid) return true;
  return network.cni === "vpc" && podIdentifier(metadata.name) === podIdentifier(target.name);
}
