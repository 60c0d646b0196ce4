import type { CaseRef } from "../case/case.ts";
import { artefactKey } from "../evidence/keys.ts";
import { redactPod } from "../evidence/redact.ts";
import type { Artefact, EvidenceStore } from "../evidence/store.ts";
import type { Kubernetes } from "../kubernetes.ts";
import type { Target } from "./target.ts";

/**
 * Writes down the target and all that selects it before anything is changed: the namespace, its
 * NetworkPolicies, and the pod, or every pod of a contained namespace. A target that is not there
 * is written down as absent; whether that stops the run is ApplyPolicy's decision.
 */
export async function snapshotBefore(
  input: { readonly case: CaseRef; readonly target: Target },
  ports: {
    readonly kubernetes: Kubernetes;
    readonly store: EvidenceStore;
    readonly now: () => Date;
  },
): Promise<{ readonly artefacts: readonly Artefact[] }> {
  const { kubernetes, store, now } = ports;
  const { target } = input;
  const [namespace, policies, pods] = await Promise.all([
    kubernetes.namespace(target.namespace),
    kubernetes.networkPolicies(target.namespace),
    target.kind === "pod"
      ? kubernetes.pod(target.namespace, target.name).then((pod) => (pod ? [pod] : []))
      : kubernetes.pods(target.namespace),
  ]);
  const { artefact } = await store.putOnce(artefactKey(input.case.runId, "before.json"), {
    capturedAt: now().toISOString(),
    target,
    namespace,
    policies,
    pods: pods.map(redactPod),
  });
  return { artefacts: [artefact] };
}
