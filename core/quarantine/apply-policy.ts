import type { Alert } from "../alert/alert.ts";
import { type Braked, brake, EVERY_WRITE } from "../brakes/brake.ts";
import { type KillSwitch, killSwitchBrake } from "../brakes/kill-switch.ts";
import { type ProtectedLabels, protectedLabels } from "../brakes/protected-label.ts";
import type { CaseRef, Execution } from "../case/case.ts";
import { CLAIM_NEEDS, claimTarget, spreadClaim } from "../case/claim.ts";
import type { NetworkFacts } from "../cluster/network.ts";
import { artefactKey } from "../evidence/keys.ts";
import type * as schemas from "../evidence/schemas/quarantine.ts";
import type { Artefact, Stored } from "../evidence/store.ts";
import type { ClusterFor, Needs, StoreFor } from "../needs.ts";
import { containerIdsOf, proveTarget } from "../target/prove.ts";
import { describeTarget, type Target } from "../target/target.ts";
import type { Before } from "./before.ts";
import { type CarriedOut, carryOut, nameTakenError } from "./carry-out.ts";
import { type Owner, readOwner } from "./owner.ts";
import { nameTaken, type Plan } from "./plan.ts";
import { planNamespaceQuarantine } from "./plan-namespace.ts";
import { planPodQuarantine } from "./plan-pod.ts";
import { seeAgain, surroundingsOf } from "./see-again.ts";
import type { QuarantineSettings } from "./settings.ts";

export const APPLY_POLICY_NEEDS = {
  kubernetes: {
    reads: ["namespace", "pod", "podMetadataPages", "policies", "workload"],
    optional: ["surroundings"],
    patches: [
      ...["Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"],
      ...["NetworkPolicy", "ApplicationNetworkPolicy"],
    ],
    makes: [
      ...["NetworkPolicy", "ClusterNetworkPolicy", "CiliumNetworkPolicy", "GlobalNetworkPolicy"],
    ],
  },
  evidence: {
    ...CLAIM_NEEDS.evidence,
    writes: [...CLAIM_NEEDS.evidence.writes, "runs/*/plan.json", "runs/*/policy.json"],
    reads: [...CLAIM_NEEDS.evidence.reads, "runs/*/plan.json"],
  },
} as const satisfies Needs;

/** Of whoever wants to see a plan and change nothing, as `containment plan` does. */
export const PLAN_NEEDS = {
  kubernetes: {
    reads: ["namespace", "pod", "podMetadataPages", "policies", "policyKinds", "workload"],
    optional: ["surroundings", "systemDaemonSets", "calicoAgent", "cniConfig"],
  },
} as const satisfies Needs;

/** What was changed, as `policy.json` keeps it. */
export interface AppliedPolicy {
  readonly caseId: string;
  readonly quarantinedAt: string;
  readonly applied: readonly CarriedOut[];
  /** How the target stood right before the first write, where an earlier attempt kept the plan over a minute before. */
  readonly before?: Before;
}

/**
 * - `applied`: every write of the first phase was answered by the API server. Whether that contains
 *   is SnapshotAfter's to say.
 * - `planned`: audit; nothing was written.
 * - `gone`: the target was proven and planned for, and went away before all was done. What was done
 *   stands in the plan; the run goes on to preserve and judge what is left.
 * - `refused`: the target is not the one that the alert was about; nothing was written.
 * - `joined`: another open case has this very target; the alert lies with it, and it acts.
 */
export type ApplyOutcome = Braked & Outcome;

type Outcome =
  | {
      readonly outcome: "applied";
      /** UID of the proven target; later states look at this object and no other of its name. */
      readonly uid: string;
      readonly quarantinedAt: string;
      /** True when the plan has phases that wait for something; CompletePolicy carries them out. */
      readonly pending: boolean;
      readonly artefacts: readonly Artefact[];
    }
  | {
      readonly outcome: "planned" | "gone";
      readonly uid: string;
      readonly artefacts: readonly Artefact[];
    }
  | {
      readonly outcome: "refused" | "joined";
      readonly reason: string;
      readonly artefacts: readonly Artefact[];
    };

export interface PlanRequest extends Braked {
  readonly case: CaseRef;
  readonly alert: Pick<Alert, "detectedAt" | "severity">;
  readonly target: Target;
  readonly network: NetworkFacts;
}

export interface ApplyInput extends PlanRequest {
  readonly execution: Execution;
  /** As it was read directly before this state. */
  readonly killSwitch: KillSwitch;
}

interface Ports {
  readonly kubernetes: ClusterFor<typeof APPLY_POLICY_NEEDS>;
  readonly store: StoreFor<typeof APPLY_POLICY_NEEDS>;
  readonly settings: QuarantineSettings;
  readonly protectedLabels: ProtectedLabels;
  readonly now: () => Date;
}

type Reads = Pick<
  Ports["kubernetes"],
  "namespace" | "pod" | "podMetadataPages" | "policies" | "workload" | "surroundings"
>;

/**
 * Proves the target, claims it for the case, plans, keeps the plan, then carries out its first phase.
 * The plan is written to evidence before the first change and is read from there when the state runs
 * again: what it says how to undo stays true even if the first attempt died halfway.
 *
 * The brakes are asked before the plan is kept. What they leave stands in it, so that a first phase
 * that has begun is also finished: half of it would be worse than either end (ADR 0020).
 *
 * Errors: `PolicyNameTaken` when somebody else's policy bears the quarantine's name.
 */
export async function applyPolicy(input: ApplyInput, ports: Ports): Promise<ApplyOutcome> {
  const { runId } = input.case;
  const kept = await ports.store.read<Plan>(artefactKey(runId, "plan.json"));
  const planned = kept ? await goOnWith(kept, input, ports) : await keepPlan(input, ports);
  if ("outcome" in planned) return { ...planned, artefacts: [] };
  const { document: plan, artefact } = planned;
  const { mode, brakes } = plan;
  const known = { mode, brakes, uid: plan.target.uid };
  if (mode === "audit") return { outcome: "planned", ...known, artefacts: [artefact] };
  const gone: ApplyOutcome = { outcome: "gone", ...known, artefacts: [artefact] };
  if (!(await isSameNamespace(plan, ports.kubernetes))) return gone;

  const seenAgain = kept && (await seeAgain(plan, input.network, ports));
  const applied: CarriedOut[] = [];
  const [first, ...later] = plan.phases;
  for (const step of first?.steps ?? []) {
    const done = await carryOut(step, plan.caseId, ports.kubernetes);
    if (done.outcome === "absent" && done.uid === known.uid) return gone;
    applied.push(done);
  }
  const quarantinedAt = ports.now().toISOString();
  const record: AppliedPolicy = {
    ...{ caseId: plan.caseId, quarantinedAt, applied },
    ...(seenAgain && { before: seenAgain }),
  };
  const stored = await ports.store.putOnce(
    artefactKey(runId, "policy.json"),
    record satisfies schemas.AppliedPolicy,
  );
  return {
    outcome: "applied",
    ...known,
    quarantinedAt: stored.document.quarantinedAt,
    pending: later.length > 0,
    artefacts: [artefact, stored.artefact],
  };
}

/** A redrive may come days later, when the name belongs to another namespace. */
async function isSameNamespace({ target }: Plan, kubernetes: Reads): Promise<boolean> {
  if (target.kind === "pod") return true; // the patch of its labels tests the UID
  return (await kubernetes.namespace(target.namespace))?.metadata.uid === target.uid;
}

interface Left extends Braked {
  readonly outcome: "refused" | "joined";
  readonly reason: string;
}

async function goOnWith(
  kept: Stored<Plan>,
  input: ApplyInput,
  { store }: Ports,
): Promise<Stored<Plan> | Left> {
  const { mode, brakes, target } = kept.document;
  if (mode === "audit") return kept;
  const claim = await claimTarget(input, { uid: target.uid, containerIds: [] }, store);
  if (claim.case.id !== input.case.id) return { ...heldBy(claim.case, input), mode, brakes };
  await spreadClaim(claim, store);
  return kept;
}

async function keepPlan(
  { killSwitch, ...input }: ApplyInput,
  ports: Ports,
): Promise<Stored<Plan> | Left> {
  const { store } = ports;
  const run = brake(input, [killSwitchBrake(killSwitch, EVERY_WRITE)]);
  const made = await makePlan({ ...input, ...run }, ports);
  const { mode, brakes } = "reason" in made ? run : made.plan;
  const refused = { outcome: "refused", mode, brakes } as const;
  if ("reason" in made) return { ...refused, reason: made.reason };
  const keep = () =>
    store.putOnce(artefactKey(input.case.runId, "plan.json"), made.plan satisfies schemas.Plan);
  if (mode === "audit") {
    return made.taken === null ? keep() : { ...refused, reason: made.taken };
  }
  const proven = { uid: made.plan.target.uid, containerIds: made.containerIds };
  const claim = await claimTarget(input, proven, store);
  if (claim.case.id !== input.case.id) return { ...heldBy(claim.case, input), mode, brakes };
  if (made.taken !== null) throw nameTakenError(made.taken);
  const [stored] = await Promise.all([keep(), spreadClaim(claim, store)]);
  return stored;
}

function heldBy({ id, runId }: CaseRef, { target }: Pick<ApplyInput, "target">) {
  const reason = `${describeTarget(target)} is the target of case ${id}, which acts (run ${runId})`;
  return { outcome: "joined", reason } as const;
}

/**
 * Reads what a plan is made from, and makes it; changes nothing. The number of requests does not
 * depend on how many pods the namespace has, unless its pods' labels protect it. A protecting label
 * makes the plan an audit's: only here are labels known.
 *
 * @returns the plan, in `taken` what bears the name of one of its policies and is not ours, and the
 * containers of a pod; or the reason why the target is not the one that was meant.
 */
export async function makePlan(
  input: PlanRequest,
  {
    kubernetes,
    settings,
    protectedLabels: labels,
    now,
  }: Pick<Ports, "settings" | "protectedLabels" | "now"> & { readonly kubernetes: Reads },
): Promise<{ plan: Plan; taken: string | null; containerIds: string[] } | { reason: string }> {
  const { target, network } = input;
  const age = { detectedAt: Date.parse(input.alert.detectedAt), now: now().getTime() };
  const [proof, policies, namespace, surroundings] = await Promise.all([
    proveTarget(target, age, kubernetes),
    kubernetes.policies(target.namespace, network.policyKinds),
    kubernetes.namespace(target.namespace),
    target.kind === "pod" ? surroundingsOf(kubernetes, target.namespace) : null,
  ]);
  if (!proof.proven) return { reason: proof.reason };
  const { pod } = proof;
  const namespaceLabels = namespace?.metadata.labels ?? {};
  const owner: Owner = pod ? await readOwner(kubernetes, pod) : { kind: "none" };
  const labelled = { target: proof.target, namespaceLabels, pod, owner };
  const found = await protectedLabels(labelled, labels, kubernetes);
  const common = {
    caseId: input.case.id,
    ...brake(input, [found.brake]),
    plannedAt: now().toISOString(),
    network,
    policies,
    namespaceLabels,
    order: settings.order[input.alert.severity],
    settings,
  };
  const made = pod
    ? planPodQuarantine({ ...common, target: proof.target, pod, owner, surroundings })
    : planNamespaceQuarantine({ ...common, target: proof.target });
  const plan: Plan = { ...made, notes: [...made.notes, ...found.notes] };
  const containerIds = pod ? [...containerIdsOf(pod)] : [];
  return { plan, taken: nameTaken(plan, policies), containerIds };
}
