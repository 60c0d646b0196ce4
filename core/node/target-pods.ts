import type { Mode } from "../alert/alert.ts";
import type { KillSwitch } from "../brakes/kill-switch.ts";
import type { CaseRef } from "../case/case.ts";
import type { Kubernetes, Pod } from "../kubernetes.ts";
import type { Target } from "../target/target.ts";
import { DO_NOT_DISRUPT, SAFE_TO_EVICT } from "./preservation-plan.ts";

/** What the states that preserve node and disks are given. */
export interface UnderTarget {
  readonly case: CaseRef;
  readonly target: Target;
  /** UID of the proven target. */
  readonly uid: string;
  readonly mode: Mode;
  /** As it was read before the first of these states: while it holds, they are audits. */
  readonly killSwitch: KillSwitch;
  /** How often this state was tried before, 0 at first. */
  readonly attempt: number;
}

/**
 * The pods under a proven target: the pod itself while it has its UID, or all pods of the namespace.
 * Of these only what leads to their nodes and volumes: a namespace may have thousands of pods.
 */
export async function targetPods(
  target: Target,
  uid: string,
  kubernetes: Pick<Kubernetes, "pod" | "podPages">,
): Promise<readonly Pod[]> {
  if (target.kind === "namespace") {
    const pods: Pod[] = [];
    for await (const page of kubernetes.podPages(target.namespace, slim)) pods.push(...page);
    return pods;
  }
  const pod = await kubernetes.pod(target.namespace, target.name);
  return pod?.metadata.uid === uid ? [pod] : [];
}

/** Pods by the node that they run on; the empty name stands for those that run on none yet. */
export function byNode(pods: readonly Pod[]): ReadonlyMap<string, readonly Pod[]> {
  return Map.groupBy(pods, (pod) => pod.spec.nodeName ?? "");
}

/** Those that are set on a pod that is preserved, with what they were before. */
const KEPT_ANNOTATIONS: readonly string[] = [DO_NOT_DISRUPT, SAFE_TO_EVICT];

function slim({ metadata, spec }: Pod): Pod {
  const { name, namespace = "", uid, annotations } = metadata;
  const { nodeName, volumes } = spec;
  const kept = annotations && {
    annotations: Object.fromEntries(
      Object.entries(annotations).filter(([key]) => KEPT_ANNOTATIONS.includes(key)),
    ),
  };
  return {
    metadata: { name, namespace, ...(uid && { uid }), ...kept },
    spec: { containers: [], ...(nodeName && { nodeName }), ...(volumes && { volumes }) },
  };
}
