import type { NetworkFacts } from "../cluster/network.ts";
import { PermanentError, TransientError } from "../errors.ts";
import type { Kubernetes, Surroundings } from "../kubernetes.ts";
import { type Before, before, isFresh } from "./before.ts";
import { CASE_LABEL } from "./labels.ts";
import type { Plan } from "./plan.ts";

type Reads = Pick<Kubernetes, "namespace" | "pod" | "policies" | "surroundings">;

/**
 * How the pod of a plan that an earlier attempt kept stands now, which may be hours later. Null when
 * the plan is fresh, when its first write, the pod's labels, was made, and when it cannot be seen:
 * then the verdict is careful, and the containment waits for nothing.
 */
export async function seeAgain(
  { target, plannedAt }: Plan,
  network: NetworkFacts,
  { kubernetes, now }: { readonly kubernetes: Reads; readonly now: () => Date },
): Promise<Before | null> {
  if (target.kind !== "pod" || isFresh(plannedAt, now())) return null;
  const { namespace } = target;
  try {
    const pod = await kubernetes.pod(namespace, target.name);
    if (pod?.metadata.uid !== target.uid || CASE_LABEL in (pod.metadata.labels ?? {})) return null;
    const [policies, found, surroundings] = await Promise.all([
      kubernetes.policies(namespace, network.policyKinds),
      kubernetes.namespace(namespace),
      surroundingsOf(kubernetes, namespace),
    ]);
    const namespaceLabels = found?.metadata.labels ?? {};
    return before({ pod, policies, namespaceLabels, surroundings, network });
  } catch (error) {
    const ours = error instanceof TransientError || error instanceof PermanentError;
    if (!ours || error.name === "KubernetesThrottled") throw error;
    return null;
  }
}

/** That they cannot be read must not stop a containment; its verdict is careful then. */
export async function surroundingsOf(
  kubernetes: Pick<Kubernetes, "surroundings">,
  namespace: string,
): Promise<Surroundings | null> {
  try {
    return await kubernetes.surroundings(namespace);
  } catch {
    return null;
  }
}
