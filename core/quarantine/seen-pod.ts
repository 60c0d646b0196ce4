import type { Pod } from "../kubernetes.ts";
import { type WorldPod, worldPod } from "./reach/model.ts";

/** What a verdict needs of a pod: small, because a namespace may have thousands. */
export interface SeenPod extends WorldPod {
  readonly uid: string;
  /** Succeeded and Failed pods have no network any more. */
  readonly ended: boolean;
  readonly fargate: boolean;
  readonly windows: boolean;
  /** Multus gave it further interfaces, of other CNIs. */
  readonly otherNetworks: boolean;
}

export function seenPod(pod: Pod): SeenPod {
  const { metadata, spec, status } = pod;
  return {
    ...worldPod(pod),
    uid: metadata.uid ?? "",
    ended: status?.phase === "Succeeded" || status?.phase === "Failed",
    otherNetworks: "k8s.v1.cni.cncf.io/networks" in (metadata.annotations ?? {}),
    fargate: spec.nodeName?.startsWith("fargate-") ?? false,
    windows: (spec.os?.name ?? spec.nodeSelector?.["kubernetes.io/os"]) === "windows",
  };
}
