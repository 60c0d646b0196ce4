import type { Alert, Mode } from "../alert/alert.ts";
import type { CaseRef } from "../case/case.ts";
import { PermanentError } from "../errors.ts";
import { artefactKey } from "../evidence/keys.ts";
import type { Artefact, EvidenceStore } from "../evidence/store.ts";
import type { Kubernetes, NetworkPolicy } from "../kubernetes.ts";
import { proveTarget } from "../target/prove.ts";
import type { Target } from "../target/target.ts";
import {
  CASE_LABEL,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  type Plan,
  planQuarantine,
  quarantinePolicy,
  type Step,
} from "./plan.ts";

/** What was changed, as `policy.json` keeps it. */
export interface AppliedPolicy {
  readonly caseId: string;
  readonly quarantinedAt: string;
  readonly applied: readonly {
    readonly action: Step["action"];
    readonly namespace: string;
    readonly name: string;
    readonly uid: string | null;
  }[];
}

/**
 * - `applied`: every step was answered by the API server. Whether that contains is SnapshotAfter's
 *   to say.
 * - `planned`: audit; nothing was written.
 * - `gone`: the target was proven and planned for, and went away before all was done. What was done
 *   stands in the plan; the run goes on to preserve and judge what is left.
 * - `refused`: the target is not the one that the alert was about; nothing was written.
 */
export type ApplyOutcome =
  | {
      readonly outcome: "applied";
      /** UID of the proven target; later states look at this object and no other of its name. */
      readonly uid: string;
      readonly quarantinedAt: string;
      readonly artefacts: readonly Artefact[];
    }
  | {
      readonly outcome: "planned" | "gone";
      readonly uid: string;
      readonly artefacts: readonly Artefact[];
    }
  | {
      readonly outcome: "refused";
      readonly reason: string;
      readonly artefacts: readonly Artefact[];
    };

interface ApplyInput {
  readonly case: CaseRef;
  readonly alert: Pick<Alert, "detectedAt">;
  readonly target: Target;
  readonly mode: Mode;
}

interface Ports {
  readonly kubernetes: Kubernetes;
  readonly store: EvidenceStore;
  readonly now: () => Date;
}

/**
 * Proves the target, plans, keeps the plan, then carries it out. The plan is written to evidence
 * before the first change and is read from there when the state runs again: what it says how to
 * undo stays true even if the first attempt died halfway.
 *
 * Errors: `PolicyNameTaken` when somebody else's policy bears the quarantine's name.
 */
export async function applyPolicy(input: ApplyInput, ports: Ports): Promise<ApplyOutcome> {
  const { runId } = input.case;
  const [kept, policies] = await Promise.all([
    ports.store.read<Plan>(artefactKey(runId, "plan.json")),
    ports.kubernetes.networkPolicies(input.target.namespace),
  ]);
  const planned = kept ?? (await makePlan(input, policies, ports));
  if ("reason" in planned) return { outcome: "refused", reason: planned.reason, artefacts: [] };
  const { document: plan, artefact } = planned;
  const uid = plan.target.kind === "pod" ? plan.target.pod.uid : plan.target.uid;
  if (plan.mode === "audit") return { outcome: "planned", uid, artefacts: [artefact] };
  const gone: ApplyOutcome = { outcome: "gone", uid, artefacts: [artefact] };
  if (!(await isSameNamespace(plan, ports.kubernetes))) return gone;

  const applied: AppliedPolicy["applied"][number][] = [];
  for (const step of plan.steps) {
    const done = await carryOut(step, ports.kubernetes);
    if (done === null) return gone;
    applied.push(done);
  }
  const quarantinedAt = ports.now().toISOString();
  const record: AppliedPolicy = { caseId: plan.caseId, quarantinedAt, applied };
  const stored = await ports.store.putOnce(artefactKey(runId, "policy.json"), record);
  return {
    outcome: "applied",
    uid,
    quarantinedAt: stored.document.quarantinedAt,
    artefacts: [artefact, stored.artefact],
  };
}

/** A redrive may come days later, when the name belongs to another namespace. */
async function isSameNamespace({ target }: Plan, kubernetes: Kubernetes): Promise<boolean> {
  if (target.kind === "pod") return true; // the patch of its labels tests the UID
  return (await kubernetes.namespace(target.namespace))?.metadata.uid === target.uid;
}

async function makePlan(
  input: ApplyInput,
  policies: readonly NetworkPolicy[],
  { kubernetes, store, now }: Ports,
): Promise<{ document: Plan; artefact: Artefact } | { reason: string }> {
  const age = { detectedAt: Date.parse(input.alert.detectedAt), now: now().getTime() };
  const proof = await proveTarget(input.target, age, kubernetes);
  if (!proof.proven) return { reason: proof.reason };
  const plan = planQuarantine(proof.target, input.case.id, input.mode, now().toISOString());
  const foreign = foreignPolicy(quarantinePolicy(plan), policies);
  if (foreign !== null && input.mode === "audit") return { reason: foreign };
  if (foreign !== null) {
    throw new PermanentError(
      "PolicyNameTaken",
      `${foreign}; it is left as it is. Remove or rename it, or release that case, then redrive ` +
        "this execution.",
    );
  }
  return store.putOnce(artefactKey(input.case.runId, "plan.json"), plan);
}

/** Server-side apply would quietly merge into a policy of that name; it must be ours or absent. */
function foreignPolicy(wanted: NetworkPolicy, policies: readonly NetworkPolicy[]): string | null {
  const { name, namespace } = wanted.metadata;
  const taken = policies.find((policy) => policy.metadata.name === name);
  if (!taken) return null;
  const { labels = {} } = taken.metadata;
  const owner = labels[MANAGED_BY_LABEL] ?? "somebody else";
  const caseId = labels[CASE_LABEL];
  if (owner === MANAGED_BY && caseId === wanted.metadata.labels?.[CASE_LABEL]) return null;
  const whose = owner === MANAGED_BY ? `of case ${caseId}` : `managed by ${owner}`;
  return `NetworkPolicy ${namespace}/${name} exists and is ${whose}`;
}

/** Null when the pod of the step is gone. */
async function carryOut(
  step: Step,
  kubernetes: Kubernetes,
): Promise<AppliedPolicy["applied"][number] | null> {
  if (step.action === "replacePodLabels") {
    const { namespace, name, uid } = step.pod;
    const there = await kubernetes.replacePodLabels(step.pod, step.labels);
    return there ? { action: step.action, namespace, name, uid } : null;
  }
  const { metadata } = await kubernetes.applyNetworkPolicy(step.policy);
  const { namespace = "", name, uid = null } = metadata;
  return { action: step.action, namespace, name, uid };
}
