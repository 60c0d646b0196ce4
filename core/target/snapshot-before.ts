import type { CaseRef } from "../case/case.ts";
import type { NetworkFacts } from "../cluster/network.ts";
import { artefactKey } from "../evidence/keys.ts";
import { keepPods } from "../evidence/pod-pages.ts";
import { redactPod } from "../evidence/redact.ts";
import type { Before } from "../evidence/schemas/seen.ts";
import type { Artefact } from "../evidence/store.ts";
import type { ClusterFor, Needs, StoreFor } from "../needs.ts";
import type { Target } from "./target.ts";

export const SNAPSHOT_BEFORE_NEEDS = {
  kubernetes: { reads: ["namespace", "policies", "pod", "podPages"] },
  evidence: { writes: ["runs/*/before.json", "runs/*/before-pods-*.json"] },
} as const satisfies Needs;

/**
 * Writes down the target and all that selects it before anything is changed: the namespace, the
 * policies that can concern it, and the pod, or every pod of a contained namespace. A target that is
 * not there is written down as absent; whether that stops the run is ApplyPolicy's decision.
 */
export async function snapshotBefore(
  input: { readonly case: CaseRef; readonly target: Target; readonly network: NetworkFacts },
  ports: {
    readonly kubernetes: ClusterFor<typeof SNAPSHOT_BEFORE_NEEDS>;
    readonly store: StoreFor<typeof SNAPSHOT_BEFORE_NEEDS>;
    readonly now: () => Date;
  },
): Promise<{ readonly artefacts: readonly Artefact[] }> {
  const { kubernetes, store, now } = ports;
  const { target, network } = input;
  const { runId } = input.case;
  const [namespace, policies, pod] = await Promise.all([
    kubernetes.namespace(target.namespace),
    kubernetes.policies(target.namespace, network.policyKinds),
    target.kind === "pod" ? kubernetes.pod(target.namespace, target.name) : null,
  ]);
  const podPages =
    target.kind === "namespace"
      ? await keepPods(
          kubernetes.podPages(target.namespace),
          { runId, when: "before" },
          store,
          () => {},
        )
      : [];
  const { artefact } = await store.putOnce<Before>(artefactKey(runId, "before.json"), {
    capturedAt: now().toISOString(),
    target,
    namespace,
    policies,
    pods: pod ? [redactPod(pod)] : [],
    podPages,
  });
  return { artefacts: [artefact] };
}
