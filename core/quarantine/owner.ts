import {
  type Kubernetes,
  type Pod,
  WORKLOAD_KINDS,
  type Workload,
  type WorkloadKind,
} from "../kubernetes.ts";
import { selects } from "./selector.ts";

/** What controls a pod, and so decides what becomes of it and of its replacement. */
export type Owner =
  | { readonly kind: "none" }
  /** A kind that the product does not know, or one that is gone: nothing is done to it. */
  | { readonly kind: "unknown"; readonly name: string }
  | { readonly kind: WorkloadKind; readonly workload: Workload };

/** Follows the pod's controller: at most two requests, from the pod to its ReplicaSet to that one's
 * Deployment. */
export async function readOwner(
  kubernetes: Pick<Kubernetes, "workload">,
  pod: Pod,
): Promise<Owner> {
  const { namespace = "", labels = {} } = pod.metadata;
  const direct = await controllerOf(kubernetes, pod.metadata, namespace);
  if (direct.kind === "none" || direct.kind === "unknown") return direct;
  // A reference is what anybody can write who can write a pod: the workload must select the pod too,
  // and no Deployment owns a pod by itself.
  const claims = ({ spec }: Workload) => spec.selector && selects(spec.selector, labels);
  if (direct.kind === "Deployment" || !claims(direct.workload)) {
    return { kind: "unknown", name: `${describeOwner(direct)}, which does not select it` };
  }
  if (direct.kind !== "ReplicaSet") return direct;
  const above = await controllerOf(kubernetes, direct.workload.metadata, namespace);
  return above.kind === "Deployment" && claims(above.workload) ? above : direct;
}

async function controllerOf(
  kubernetes: Pick<Kubernetes, "workload">,
  { ownerReferences = [] }: Pod["metadata"],
  namespace: string,
): Promise<Owner> {
  const reference = ownerReferences.find(({ controller }) => controller === true);
  if (!reference) return { kind: "none" };
  const name = `${reference.kind} ${reference.name}`;
  const kind = WORKLOAD_KINDS.find((each) => each === reference.kind);
  if (!kind) return { kind: "unknown", name };
  const workload = await kubernetes.workload(kind, namespace, reference.name);
  return workload?.metadata.uid === reference.uid
    ? { kind, workload }
    : { kind: "unknown", name: `${name}, which is gone` };
}

/** `Deployment payments/checkout`, as people write it; null when there is nothing to name. */
export function describeOwner(owner: Owner): string | null {
  if (owner.kind === "none") return null;
  if (owner.kind === "unknown") return owner.name;
  const { namespace, name } = owner.workload.metadata;
  return `${owner.kind} ${namespace}/${name}`;
}

/**
 * What will happen once the pod has lost its labels, and which of them the release must not give
 * back. A ReplicaSet that finds its old pod again has one too many and deletes it: seen six times of
 * six.
 */
export function replacementOf(owner: Owner): {
  readonly message: string;
  readonly withheld: readonly string[];
} {
  switch (owner.kind) {
    case "none":
      return { message: "the pod has no controller: nothing replaces it", withheld: [] };
    case "unknown":
      return {
        message: `the pod is controlled by ${owner.name}: whether it is replaced is not known`,
        withheld: [],
      };
    case "Deployment":
    case "ReplicaSet":
      return {
        message: `${describeOwner(owner)} lets the pod go and starts a replacement`,
        withheld: ["pod-template-hash"],
      };
    case "StatefulSet":
      return {
        message:
          `${describeOwner(owner)} lets the pod go, and cannot start its replacement while the ` +
          "pod holds the name: that replica is missing until the pod is deleted or released",
        withheld: [],
      };
    case "DaemonSet":
      return {
        message: `${describeOwner(owner)} lets the pod go and starts a replacement on the same node`,
        withheld: selectorLabels(owner.workload),
      };
    case "Job":
      return {
        message:
          `${describeOwner(owner)} lets the pod go and starts another one until it has completed; ` +
          "what the pod has done so far is not counted",
        withheld: selectorLabels(owner.workload),
      };
  }
}

function selectorLabels({ spec }: Workload): readonly string[] {
  return Object.keys(spec.selector?.matchLabels ?? {});
}
