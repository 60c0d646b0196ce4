import type { CaseRef } from "../case/case.ts";
import { PermanentError, TransientError } from "../errors.ts";
import { artefactKey } from "../evidence/keys.ts";
import { keepPods } from "../evidence/pod-pages.ts";
import type * as schemas from "../evidence/schemas/seen.ts";
import type { Artefact } from "../evidence/store.ts";
import type { Pod } from "../kubernetes.ts";
import type { ClusterFor, Needs, StoreFor } from "../needs.ts";
import type { AppliedPolicy } from "./apply-policy.ts";
import type { Completion } from "./complete-policy.ts";
import type { Plan } from "./plan.ts";
import { asSeenNow, type Look, lookAtAll, observe } from "./read-back.ts";
import type { Reason } from "./reasons.ts";
import { afterSteps } from "./simulate.ts";
import { type Observation, type Verdict, verdictOf } from "./verdict.ts";

export const SNAPSHOT_AFTER_NEEDS = {
  kubernetes: {
    reads: ["namespace", "policies", "policyEndpoints", "policyKinds", "podPages"],
    optional: ["systemDaemonSets", "calicoAgent", "cniConfig"],
  },
  evidence: {
    writes: ["runs/*/after.json", "runs/*/after-pods-*.json"],
    reads: ["runs/*/plan.json", "runs/*/policy.json", "runs/*/completion.json"],
  },
} as const satisfies Needs;

interface Ports {
  readonly kubernetes: ClusterFor<typeof SNAPSHOT_AFTER_NEEDS>;
  readonly store: StoreFor<typeof SNAPSHOT_AFTER_NEEDS>;
  readonly now: () => Date;
}

/** What no verdict speaks of; said in the evidence so that nobody takes it for more. */
const NOT_PROVEN = [
  "traffic between the pod and its own node: no policy of any CNI cuts it",
  "that the agent on the pod's node runs and does what the API says",
  "policies of the same name in other namespaces: an agent of the VPC CNI may take them for each other",
  "policies that were deleted before the run: a node may still hold what it made of them",
  "answers: of a flow in which only the end that did not open it sends, no packet is ever judged",
];

/** How long the CNI's controller may take to resolve a policy. Seen: 2.25 s at most, in a rollout. */
const RESOLVES_WITHIN_MS = 4_000;

interface After {
  readonly capturedAt: string;
  readonly notProven: readonly string[];
  readonly judged: Verdict;
  /** Names of the policies that allowed the target anything before, and of those that do now. */
  readonly compared: {
    readonly allowedBefore: readonly string[];
    readonly allowsNow: readonly string[];
  };
  readonly observed: Observation;
  /** Every pod of a contained namespace, as it was read. */
  readonly podPages: readonly Artefact[];
}

/**
 * Reads back the target's namespace and judges it. An audit changed nothing: its reasons are what
 * the plan would have left open.
 *
 * Errors: `TargetNotSettled` (transient) while the CNI's controller may not have taken up the
 * policies that were just written.
 */
export async function snapshotAfter(
  input: { readonly case: CaseRef },
  ports: Ports,
): Promise<{
  readonly verdict: Verdict["verdict"] | "audited";
  /** Without the lists of names, which are in after.json. */
  readonly reasons: readonly Pick<Reason, "code" | "message">[];
  readonly artefacts: readonly Artefact[];
}> {
  const { store, now } = ports;
  const { runId } = input.case;
  const [kept, applied, completion] = await Promise.all([
    store.read<Plan>(artefactKey(runId, "plan.json")),
    store.read<AppliedPolicy>(artefactKey(runId, "policy.json")),
    store.read<Completion>(artefactKey(runId, "completion.json")),
  ]);
  if (!kept) {
    throw new PermanentError("EvidenceAltered", `plan.json of run ${runId} is gone: no verdict`);
  }
  const plan = await asSeenNow(kept.document, applied?.document ?? null, ports.kubernetes);
  const writtenAt = completion?.document.phases.at(-1)?.endedAt ?? applied?.document.quarantinedAt;
  const resolving = now().getTime() - Date.parse(writtenAt ?? "") < RESOLVES_WITHIN_MS;
  const isNamespace = plan.target.kind === "namespace";
  const pages = <Kept>(keep: (pod: Pod) => Kept) =>
    ports.kubernetes.podPages(plan.target.namespace, keep);
  const look: Look = (see) => lookAtAll(pages(see));
  const keep: Look = (see) => keepPods(pages, { runId, when: "after" }, store, see);
  // A look that may be repeated keeps nothing: the next one would find every page changed.
  const keepsAtOnce = isNamespace && !resolving;
  const { observed, podPages } = await observe(
    plan,
    completion?.document ?? null,
    ports.kubernetes,
    keepsAtOnce ? keep : look,
  );
  const judged = verdictOf(plan, plan.mode === "audit" ? afterSteps(plan, observed) : observed);
  const unresolved = judged.reasons.find(({ code }) => code === "policyNotResolved");
  if (unresolved && resolving) {
    throw new TransientError("TargetNotSettled", `${unresolved.message} yet`);
  }
  const after: After = {
    capturedAt: now().toISOString(),
    notProven: NOT_PROVEN,
    judged,
    compared: {
      allowedBefore: plan.before.allowing,
      allowsNow: [...new Set(judged.reasons.flatMap(({ policies = [] }) => policies))],
    },
    observed,
    podPages: isNamespace && !keepsAtOnce ? await keep(() => {}) : podPages,
  };
  const stored = await store.putOnce(
    artefactKey(runId, "after.json"),
    after satisfies schemas.After,
  );
  const { verdict, reasons } = stored.document.judged;
  return {
    verdict: plan.mode === "audit" ? "audited" : verdict,
    reasons: reasons.map(({ code, message }) => ({ code, message })),
    artefacts: [stored.artefact],
  };
}
