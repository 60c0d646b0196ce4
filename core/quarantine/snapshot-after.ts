import type { CaseRef } from "../case/case.ts";
import { PermanentError } from "../errors.ts";
import { artefactKey } from "../evidence/keys.ts";
import { redactPod } from "../evidence/redact.ts";
import type { Artefact, EvidenceStore } from "../evidence/store.ts";
import type { Kubernetes } from "../kubernetes.ts";
import type { Plan } from "./plan.ts";
import { afterSteps, type Observation, type Reason, type Verdict, verdictOf } from "./verdict.ts";

/** What the verdict does not look at yet; said in the evidence so that nobody takes it for more. */
const NOT_PROVEN = [
  "whether the cluster's CNI enforces NetworkPolicies",
  "policies of other kinds: AdminNetworkPolicy, ClusterNetworkPolicy, Cilium's and Calico's",
  "siblings that share the pod's identifier on the AWS VPC CNI",
  "connections that stood before the policy, and traffic with the pod's own node",
];

interface After {
  readonly capturedAt: string;
  readonly notProven: readonly string[];
  readonly judged: Verdict;
  readonly policies: Observation["policies"];
  readonly pods: Observation["pods"];
}

/**
 * Reads back the target's namespace and judges it. An audit changed nothing: its reasons are what
 * the plan would have left open.
 */
export async function snapshotAfter(
  input: { readonly case: CaseRef },
  ports: {
    readonly kubernetes: Kubernetes;
    readonly store: EvidenceStore;
    readonly now: () => Date;
  },
): Promise<{
  readonly verdict: Verdict["verdict"] | "audited";
  /** Without the lists of names, which are in after.json. */
  readonly reasons: readonly Pick<Reason, "code" | "message">[];
  readonly artefacts: readonly Artefact[];
}> {
  const { kubernetes, store, now } = ports;
  const { runId } = input.case;
  const plan = (await store.read<Plan>(artefactKey(runId, "plan.json")))?.document;
  if (!plan) {
    throw new PermanentError("EvidenceAltered", `plan.json of run ${runId} is gone: no verdict`);
  }
  const { target } = plan;
  const namespace = target.kind === "pod" ? target.pod.namespace : target.namespace;
  const [policies, pods] = await Promise.all([
    kubernetes.networkPolicies(namespace),
    target.kind === "pod"
      ? kubernetes.pod(namespace, target.pod.name).then((pod) => (pod ? [pod] : []))
      : kubernetes.pods(namespace),
  ]);
  const seen: Observation = { policies, pods };
  const after: After = {
    capturedAt: now().toISOString(),
    notProven: NOT_PROVEN,
    judged: verdictOf(plan, plan.mode === "audit" ? afterSteps(plan, seen) : seen),
    policies,
    pods: pods.map(redactPod),
  };
  const stored = await store.putOnce(artefactKey(runId, "after.json"), after);
  const { verdict, reasons } = stored.document.judged;
  return {
    verdict: plan.mode === "audit" ? "audited" : verdict,
    reasons: reasons.map(({ code, message }) => ({ code, message })),
    artefacts: [stored.artefact],
  };
}
