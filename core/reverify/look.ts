import type { NetworkFacts } from "../cluster/network.ts";
import type { Preservation, PreservationPlanArtefact } from "../evidence/schemas/preservation.ts";
import type { Pod } from "../kubernetes.ts";
import type { ClusterFor } from "../needs.ts";
import type { AppliedPolicy } from "../quarantine/apply-policy.ts";
import type { Completion } from "../quarantine/complete-policy.ts";
import type { Plan } from "../quarantine/plan.ts";
import { asSeenNow, type Look, lookAtAll, observe } from "../quarantine/read-back.ts";
import type { Reason } from "../quarantine/reasons.ts";
import { targetPods, type Verdict, verdictOf } from "../quarantine/verdict.ts";
import {
  agentOn,
  type Finding,
  podFindings,
  preservationFindings,
  type SeenTarget,
} from "./findings.ts";

/** What the states that look at an open case read of its cluster. */
export const LOOK_READS = {
  reads: [
    ...["namespace", "policies", "policyEndpoints", "policyKinds", "podPages"],
    ...["services", "podsOnNode", "node"],
  ],
  optional: ["systemDaemonSets", "calicoAgent", "cniConfig"],
} as const;

type Cluster = ClusterFor<{ readonly kubernetes: typeof LOOK_READS }>;

/** What the run of a case left in evidence. */
export interface KeptRun {
  readonly plan: Plan;
  readonly applied: AppliedPolicy | null;
  readonly completion: Completion | null;
  readonly preservationPlan: PreservationPlanArtefact | null;
  readonly preservation: Preservation | null;
}

export interface SeenNow {
  readonly verdict: Verdict["verdict"];
  readonly reasons: readonly Reason[];
  readonly findings: readonly Finding[];
  readonly network: NetworkFacts;
  /** UID of the CNI's agent on the pod's node; null when it has none that could be seen. */
  readonly agent: string | null;
}

/**
 * Reads the target of a run back and judges it as SnapshotAfter did, and looks at what lies around
 * it: Services, the controller, the CNI's agent, the nodes that were kept.
 */
export async function lookAgain(
  run: KeptRun,
  /** The agent that was seen last; null when none was. */
  lastAgent: string | null,
  kubernetes: Cluster,
): Promise<SeenNow> {
  const plan = await asSeenNow(run.plan, run.applied, kubernetes);
  const { target, network } = plan;
  let seen: SeenTarget = { pod: null, successor: null };
  const note = (pod: Pod) => {
    if (target.kind !== "pod" || pod.metadata.name !== target.name) return;
    const isTarget = pod.metadata.uid === target.uid;
    seen = isTarget ? { ...seen, pod } : { ...seen, successor: pod };
  };
  const look: Look = (see) =>
    lookAtAll(
      kubernetes.podPages(target.namespace, (pod) => {
        note(pod);
        see(pod);
      }),
    );
  const { observed } = await observe(plan, run.completion, kubernetes, look);
  const judged = verdictOf(plan, observed);
  const [pod] = target.kind === "pod" ? targetPods(plan, observed.pods) : [];
  const onNode = pod && !pod.hostNetwork && !pod.fargate && !pod.windows ? pod.node : undefined;
  const [gone, agent, ofPod, ofNodes] = await Promise.all([
    namespaceGone(plan, kubernetes),
    onNode === undefined ? undefined : agentOn(onNode, network.cni, kubernetes),
    podFindings(target, seen, kubernetes),
    run.preservationPlan && run.preservation
      ? preservationFindings(run.preservationPlan, run.preservation, seen, kubernetes)
      : [],
  ]);
  const agentGone: Reason[] =
    agent === null ? [{ code: "agentGone", message: `no agent of the CNI is on ${onNode}` }] : [];
  const reasons = [...gone, ...judged.reasons, ...agentGone];
  const replaced: Finding[] =
    typeof agent === "string" && lastAgent !== null && agent !== lastAgent
      ? [{ code: "agentReplaced", message: `the CNI's agent on ${onNode} was replaced` }]
      : [];
  return {
    verdict: judged.verdict === "contained" && reasons.length > 0 ? "partial" : judged.verdict,
    reasons,
    findings: [...ofPod, ...replaced, ...ofNodes],
    network,
    agent: agent ?? null,
  };
}

async function namespaceGone({ target }: Plan, kubernetes: Cluster): Promise<readonly Reason[]> {
  if (target.kind === "pod") return []; // it is told apart by its own UID
  const namespace = await kubernetes.namespace(target.namespace);
  if (namespace?.metadata.uid === target.uid) return [];
  const message = `namespace ${target.namespace} is gone, or another one has its name`;
  return [{ code: "namespaceGone", message }];
}
