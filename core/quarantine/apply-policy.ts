import type { Mode } from "../alert/alert.ts";
import type { CaseRef } from "../case/case.ts";
import { PermanentError } from "../errors.ts";
import { artefactKey } from "../evidence/keys.ts";
import type { Artefact, EvidenceStore } from "../evidence/store.ts";
import type { Kubernetes, NetworkPolicy } from "../kubernetes.ts";
import { proveTarget } from "../target/prove.ts";
import { describeTarget, type Target } from "../target/target.ts";
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
 * - `refused`: the target is not, or no longer, the one that the alert was about.
 */
export type ApplyOutcome =
  | {
      readonly outcome: "applied";
      readonly quarantinedAt: string;
      readonly artefacts: readonly Artefact[];
    }
  | { readonly outcome: "planned"; readonly artefacts: readonly Artefact[] }
  | {
      readonly outcome: "refused";
      readonly reason: string;
      readonly artefacts: readonly Artefact[];
    };

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
export async function applyPolicy(
  input: { readonly case: CaseRef; readonly target: Target; readonly mode: Mode },
  ports: Ports,
): Promise<ApplyOutcome> {
  const { runId } = input.case;
  const kept = await ports.store.read<Plan>(artefactKey(runId, "plan.json"));
  const planned = kept ?? (await makePlan(input, ports));
  if ("reason" in planned) return { outcome: "refused", reason: planned.reason, artefacts: [] };
  const { document: plan, artefact } = planned;
  if (plan.mode === "audit") return { outcome: "planned", artefacts: [artefact] };

  const applied: AppliedPolicy["applied"][number][] = [];
  for (const step of plan.steps) {
    const done = await carryOut(step, ports.kubernetes);
    if (done === null) {
      const reason = `${describeTarget(input.target)} went away while it was being contained`;
      return { outcome: "refused", reason, artefacts: [artefact] };
    }
    applied.push(done);
  }
  const quarantinedAt = ports.now().toISOString();
  const record: AppliedPolicy = { caseId: plan.caseId, quarantinedAt, applied };
  const stored = await ports.store.putOnce(artefactKey(runId, "policy.json"), record);
  return {
    outcome: "applied",
    quarantinedAt: stored.document.quarantinedAt,
    artefacts: [artefact, stored.artefact],
  };
}

async function makePlan(
  input: { readonly case: CaseRef; readonly target: Target; readonly mode: Mode },
  { kubernetes, store, now }: Ports,
): Promise<{ document: Plan; artefact: Artefact } | { reason: string }> {
  const [proof, policies] = await Promise.all([
    proveTarget(input.target, kubernetes),
    kubernetes.networkPolicies(input.target.namespace),
  ]);
  if (!proof.proven) return { reason: proof.reason };
  const plan = planQuarantine(proof.target, input.case.id, input.mode, now().toISOString());
  refuseForeignPolicy(quarantinePolicy(plan), policies);
  return store.putOnce(artefactKey(input.case.runId, "plan.json"), plan);
}

/** Server-side apply would quietly merge into a policy of that name; it must be ours or absent. */
function refuseForeignPolicy(wanted: NetworkPolicy, policies: readonly NetworkPolicy[]): void {
  const { name, namespace } = wanted.metadata;
  const taken = policies.find((policy) => policy.metadata.name === name);
  if (!taken) return;
  const { labels = {} } = taken.metadata;
  const owner = labels[MANAGED_BY_LABEL] ?? "somebody else";
  const caseId = labels[CASE_LABEL];
  if (owner === MANAGED_BY && caseId === wanted.metadata.labels?.[CASE_LABEL]) return;
  const whose = owner === MANAGED_BY ? `of case ${caseId}` : `managed by ${owner}`;
  throw new PermanentError(
    "PolicyNameTaken",
    `NetworkPolicy ${namespace}/${name} exists and is ${whose}; it is left as it is. ` +
      "Remove or rename it, or release that case, then redrive this execution.",
  );
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
