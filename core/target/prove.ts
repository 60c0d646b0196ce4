import { TransientError } from "../errors.ts";
import type { ContainerStatus, Kubernetes, Pod } from "../kubernetes.ts";
import { describeTarget, type NamespaceTarget, type PodTarget, type Target } from "./target.ts";

/** A target that exists: the object that the alert means, and no other of its name. */
export type ProvenTarget = ProvenPod | ProvenNamespace;

export interface ProvenPod {
  readonly kind: "pod";
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface ProvenNamespace {
  readonly kind: "namespace";
  readonly namespace: string;
  readonly uid: string;
}

export type Proof =
  | { readonly proven: true; readonly target: ProvenPod; readonly pod: Pod }
  | { readonly proven: true; readonly target: ProvenNamespace; readonly pod: null }
  | { readonly proven: false; readonly reason: string };

/** The kubelet reports a new container a second or two after Falco has seen it. */
const SETTLES_WITHIN_MS = 10_000;
/** How far the clocks of a node and of the API server may differ. */
const CLOCK_SKEW_MS = 30_000;

/** When the alert was raised, and what time it is now; milliseconds since 1970. */
export interface AlertAge {
  readonly detectedAt: number;
  readonly now: number;
}

/**
 * Finds the target in the cluster and checks that it is the one that the alert was about. A name is
 * used again by the next pod of a StatefulSet; a UID and a container id are not.
 *
 * Errors: `TargetNotSettled` (transient) while the alert is so young that the pod's status may not
 * show its container yet.
 */
export function proveTarget(
  target: Target,
  age: AlertAge,
  kubernetes: Pick<Kubernetes, "pod" | "namespace">,
): Promise<Proof> {
  return target.kind === "pod"
    ? provePod(target, age, kubernetes)
    : proveNamespace(target, kubernetes);
}

async function provePod(
  target: PodTarget,
  { detectedAt, now }: AlertAge,
  kubernetes: Pick<Kubernetes, "pod">,
): Promise<Proof> {
  const pod = await kubernetes.pod(target.namespace, target.name);
  const uid = pod?.metadata.uid;
  if (!pod || uid === undefined) return unproven(target, "it does not exist");
  if (target.uid !== null && target.uid !== uid) {
    return unproven(target, `its UID is ${uid}, the alert was about ${target.uid}`);
  }
  if (target.containerId !== null && !hasContainer(pod, target.containerId)) {
    const why = `it has no container ${target.containerId}`;
    if (now - detectedAt < SETTLES_WITHIN_MS) {
      throw new TransientError("TargetNotSettled", `${describeTarget(target)}: ${why} yet`);
    }
    return unproven(target, why);
  }
  const createdAt = Date.parse(pod.metadata.creationTimestamp ?? "");
  if (
    target.uid === null &&
    target.containerId === null &&
    createdAt > detectedAt + CLOCK_SKEW_MS
  ) {
    return unproven(target, `it was created ${pod.metadata.creationTimestamp}, after the alert`);
  }
  return {
    proven: true,
    target: { kind: "pod", namespace: target.namespace, name: target.name, uid },
    pod,
  };
}

async function proveNamespace(
  target: NamespaceTarget,
  kubernetes: Pick<Kubernetes, "namespace">,
): Promise<Proof> {
  const namespace = await kubernetes.namespace(target.name);
  const uid = namespace?.metadata.uid;
  if (uid === undefined) return unproven(target, "it does not exist");
  if (target.uid !== null && target.uid !== uid) {
    return unproven(target, `its UID is ${uid}, the request was about ${target.uid}`);
  }
  return { proven: true, target: { kind: "namespace", namespace: target.name, uid }, pod: null };
}

function unproven(target: Target, why: string): Proof {
  return { proven: false, reason: `${describeTarget(target)} is not the target: ${why}` };
}

/**
 * True when the pod runs or has just run that container. A crash-looping container has a new id by
 * the time the alert is handled; its last one is kept in `lastState`.
 */
function hasContainer(pod: Pod, containerId: string): boolean {
  const wanted = bareId(containerId);
  // Falco shortens ids to 12 digits; anything shorter could match by accident.
  if (!/^[0-9a-f]{12,64}$/.test(wanted)) return false;
  return containerIdsOf(pod).some((id) => id.startsWith(wanted));
}

/** The containers that the pod runs or has just run, without the name of their runtime. */
export function containerIdsOf(pod: Pod): readonly string[] {
  const { containerStatuses, initContainerStatuses, ephemeralContainerStatuses } = pod.status ?? {};
  const all = [containerStatuses, initContainerStatuses, ephemeralContainerStatuses].flatMap(
    (statuses) => statuses ?? [],
  );
  return all.flatMap(idsOf).map(bareId);
}

function idsOf(status: ContainerStatus): string[] {
  return [status.containerID, status.lastState?.terminated?.containerID].filter(
    (id) => id !== undefined,
  );
}

/** `containerd://5c0a…` and `5c0a…` are the same container. */
function bareId(id: string): string {
  return id.replace(/^[a-z-]+:\/\//, "");
}
