import type { Brake } from "../brakes/brake.ts";
import { type KillSwitch, killSwitchBrake } from "../brakes/kill-switch.ts";
import type { CaseRef } from "../case/case.ts";
import { PermanentError } from "../errors.ts";
import { artefactKey } from "../evidence/keys.ts";
import type * as schemas from "../evidence/schemas/quarantine.ts";
import type { Artefact } from "../evidence/store.ts";
import type { ClusterFor, Needs, StoreFor } from "../needs.ts";
import { type CarriedOut, carryOut } from "./carry-out.ts";
import { describeCondition } from "./describe-plan.ts";
import type { Condition, Plan } from "./plan.ts";
import { podIdentifier } from "./vpc-cni/identifier.ts";

export const COMPLETE_POLICY_NEEDS = {
  kubernetes: {
    reads: ["policyEndpoints", "podMetadataPages"],
    makes: ["NetworkPolicy", "ClusterNetworkPolicy"],
    deletes: ["NetworkPolicy", "ClusterNetworkPolicy"],
  },
  evidence: { writes: ["runs/*/completion.json"], reads: ["runs/*/plan.json"] },
} as const satisfies Needs;

type Cluster = ClusterFor<typeof COMPLETE_POLICY_NEEDS>;

/** Seconds for which one phase is waited for; a rollout that takes longer is stuck. */
const WAIT_AT_MOST_SECONDS = 600;

/** How far the later phases of a plan have come; the workflow carries it from look to look. */
export interface Progress {
  /** Index of the next phase of the plan. */
  readonly phase: number;
  /** Since when that phase is waited for, RFC 3339 in UTC. */
  readonly since: string;
  /** True when the last look found the condition fulfilled: a second one must agree, a second later,
   * because the agents on the nodes need their time after the API has changed. */
  readonly settling: boolean;
  readonly completed: readonly CompletedPhase[];
}

export interface CompletedPhase {
  readonly phase: number;
  /** False when the bound passed before the condition came; `waitedFor` says for what. */
  readonly conditionMet: boolean;
  readonly waitedFor: string;
  readonly endedAt: string;
  readonly carriedOut: readonly CarriedOut[];
}

/** What the later phases came to, as `completion.json` keeps it. */
export interface Completion {
  readonly caseId: string;
  readonly phases: readonly CompletedPhase[];
  /** What held the phases back that are not among them. */
  readonly braked: Brake | null;
}

/**
 * Looks once whether the next phase of the plan may begin, and carries it out if so. Waiting is the
 * workflow's: it asks again until `done`. May be run again at any point: what was done is found done.
 *
 * Once the kill switch holds, no further phase is begun, but one that puts back what the phase before
 * it took away still is.
 */
export async function completePolicy(
  input: {
    readonly case: CaseRef;
    readonly progress: Progress | null;
    /** As it was read directly before this look. */
    readonly killSwitch: KillSwitch;
  },
  ports: {
    readonly kubernetes: Cluster;
    readonly store: StoreFor<typeof COMPLETE_POLICY_NEEDS>;
    readonly now: () => Date;
  },
): Promise<{
  readonly done: boolean;
  readonly progress: Progress;
  /** When the last phase ended, if only that contains; null when the first one did. */
  readonly quarantinedAt: string | null;
  readonly brakes: readonly Brake[];
  readonly artefacts: readonly Artefact[];
}> {
  const { kubernetes, store, now } = ports;
  const { runId } = input.case;
  const kept = await store.read<Plan>(artefactKey(runId, "plan.json"));
  if (!kept) {
    throw new PermanentError("EvidenceAltered", `plan.json of run ${runId} is gone: nothing to do`);
  }
  const plan = kept.document;
  const progress = input.progress ?? {
    phase: 1,
    since: now().toISOString(),
    settling: false,
    completed: [],
  };
  const braked = heldBack(plan, progress, input.killSwitch);
  const next = braked ? progress : await advance(plan, progress, now, kubernetes);
  const done = braked !== null || next.phase >= plan.phases.length;
  if (!done) return { done, progress: next, quarantinedAt: null, brakes: [], artefacts: [] };
  const completion: Completion = { caseId: plan.caseId, phases: next.completed, braked };
  const stored = await store.putOnce(
    artefactKey(runId, "completion.json"),
    completion satisfies schemas.Completion,
  );
  const last = stored.document.phases.at(-1);
  return {
    done,
    progress: next,
    quarantinedAt: containsAtOnce(plan) ? null : (last?.endedAt ?? null),
    brakes: stored.document.braked ? [stored.document.braked] : [],
    artefacts: [stored.artefact],
  };
}

/** The brake that holds the rest of the plan back; null while it may go on. */
function heldBack(plan: Plan, { phase }: Progress, killSwitch: KillSwitch): Brake | null {
  const left = plan.phases.slice(phase);
  if (left.length === 0 || putsBack(plan, phase)) return null;
  const steps = left.flatMap((each) => each.steps.map(({ why }) => why));
  return killSwitchBrake(
    killSwitch,
    `the later phases of the quarantine: ${steps.join("; ") || "nothing but waiting"}`,
  );
}

/** True for a phase without which a policy would stay deleted. */
function putsBack({ phases }: Plan, phase: number): boolean {
  const before = phases[phase - 1]?.steps ?? [];
  return before.some(({ write }) => write.action === "delete");
}

/** A policy that overrides every other contains when it is made; what follows only repairs. */
function containsAtOnce({ phases: [first] }: Plan): boolean {
  return (first?.steps ?? []).some(
    ({ write }) => write.action === "create" && write.object.kind !== "NetworkPolicy",
  );
}

async function advance(
  plan: Plan,
  progress: Progress,
  now: () => Date,
  kubernetes: Cluster,
): Promise<Progress> {
  const phase = plan.phases[progress.phase];
  if (!phase) return progress;
  const overdue = now().getTime() - Date.parse(progress.since) >= WAIT_AT_MOST_SECONDS * 1_000;
  const met = await isMet(phase.after, plan, kubernetes).catch((error: unknown) => {
    // What cannot be looked at any more must not keep a policy from being put back.
    if (overdue) return false;
    throw error;
  });
  if (met && !progress.settling) return { ...progress, settling: true };
  if (!met && !overdue) return { ...progress, settling: false };

  const carriedOut: CarriedOut[] = [];
  if (met || phase.otherwise === "carryOut") {
    for (const step of phase.steps) carriedOut.push(await carryOut(step, plan.caseId, kubernetes));
  }
  const completed: CompletedPhase = {
    phase: progress.phase,
    conditionMet: met,
    waitedFor: phase.after === null ? "nothing" : `until ${describeCondition(phase.after)}`,
    endedAt: now().toISOString(),
    carriedOut,
  };
  return {
    // A phase that was skipped takes those with it that were to follow its writes.
    phase: !met && phase.otherwise === "skip" ? plan.phases.length : progress.phase + 1,
    since: completed.endedAt,
    settling: false,
    completed: [...progress.completed, completed],
  };
}

async function isMet(
  condition: Condition | null,
  plan: Plan,
  kubernetes: Cluster,
): Promise<boolean> {
  if (condition === null) return true;
  const { target, network } = plan;
  const endpoints = await kubernetes.policyEndpoints(target.namespace, network.policyKinds);
  if (condition.until === "endpointsGone") {
    return endpoints.every(
      ({ spec: { policyRef } }) =>
        policyRef.name !== condition.policy ||
        (policyRef.namespace ?? null) !== condition.namespace,
    );
  }
  if (condition.until === "suspended") {
    return endpoints.every(
      ({ spec }) =>
        !condition.policies.includes(spec.policyRef.name) ||
        (spec.podSelectorEndpoints ?? []).length === 0,
    );
  }
  const targetName = target.kind === "pod" ? target.name : null;
  const isSibling = (name: string) =>
    name !== targetName && podIdentifier(name) === condition.identifier;
  const resolved = endpoints.some(({ spec }) =>
    (spec.podSelectorEndpoints ?? []).some(
      ({ name, namespace }) => namespace === target.namespace && isSibling(name),
    ),
  );
  if (resolved) return false;
  for await (const page of kubernetes.podMetadataPages(target.namespace)) {
    if (page.some(({ metadata }) => isSibling(metadata.name))) return false;
  }
  return true;
}
