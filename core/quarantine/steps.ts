import type { JsonPatch, Labels, ObjectRef, Pod, Workload } from "../kubernetes.ts";
import type { Denial, NetworkPolicy } from "../policies.ts";
import { CASE_LABEL, caseLabels, SUSPENDED_LABEL } from "./labels.ts";
import { describeOwner, type Owner, replacementOf } from "./owner.ts";

/** One write, exactly as it will be sent, and how it is undone. */
export interface Step {
  readonly why: string;
  readonly write: Write;
  readonly undo: Undo;
}

export type Write =
  /** Precondition: the object still has this UID. */
  | { readonly action: "patch"; readonly object: ObjectRef; readonly patch: JsonPatch }
  /** Precondition: the name is free, or what bears it is of this case. */
  | { readonly action: "create"; readonly object: Denial }
  /** Precondition: what bears the name is of this case. */
  | { readonly action: "delete"; readonly object: Denial };

export type Undo =
  | { readonly action: "patch"; readonly object: ObjectRef; readonly patch: JsonPatch }
  | {
      readonly action: "delete";
      readonly kind: string;
      readonly namespace: string | null;
      readonly name: string;
    }
  | { readonly action: "none"; readonly why: string };

/** What a rollout is started by, as `kubectl rollout restart` does it. */
const RESTARTED_AT = "kubectl.kubernetes.io/restartedAt";

/**
 * Takes all labels of the pod and leaves only ours: its controller lets it go, Services stop sending
 * to it, and policies that allowed it by label no longer do. What lies in `undo` is what it bore,
 * less the labels by which its controller would take it back and delete it; it is given back only
 * while the pod bears this case's label.
 */
export function relabelPod(pod: Pod, uid: string, owner: Owner, caseId: string): Step {
  const { namespace = "", name, labels = {} } = pod.metadata;
  const { withheld } = replacementOf(owner);
  const given = Object.entries(labels).filter(([key]) => !withheld.includes(key));
  const object: ObjectRef = { apiVersion: "v1", kind: "Pod", namespace, name, uid };
  const ours = `/metadata/labels/${pointerKey(CASE_LABEL)}`;
  return {
    why: "take the pod out of its controller, its Services and every policy that selects by label",
    write: { action: "patch", object, patch: setLabels(caseLabels(caseId)) },
    undo: {
      action: "patch",
      object,
      patch: [{ op: "test", path: ours, value: caseId }, ...setLabels(Object.fromEntries(given))],
    },
  };
}

export function createDenial(object: Denial, why: string): Step {
  const { kind, metadata } = object;
  const undo: Undo = {
    action: "delete",
    kind,
    namespace: metadata.namespace ?? null,
    name: metadata.name,
  };
  return { why, write: { action: "create", object }, undo };
}

/** Half of a repair: the policy is created again by the phase that follows. */
export function deleteDenial(object: Denial, why: string): Step {
  return {
    why,
    write: { action: "delete", object },
    undo: { action: "none", why: "it is created again by the next phase" },
  };
}

/** A new pod template, so a new hash in the names of the pods: another identifier. */
export function restart(deployment: Workload, plannedAt: string): Step {
  const annotations = deployment.spec.template?.metadata?.annotations;
  const path = "/spec/template/metadata";
  const patch: JsonPatch = annotations
    ? [{ op: "add", path: `${path}/annotations/${pointerKey(RESTARTED_AT)}`, value: plannedAt }]
    : [{ op: "add", path: `${path}/annotations`, value: { [RESTARTED_AT]: plannedAt } }];
  return {
    why: "replace the siblings: their rules are the pod's rules while they run",
    write: { action: "patch", object: workloadRef("Deployment", deployment), patch },
    undo: { action: "none", why: "the new pods are the same as the old ones" },
  };
}

export function annotate(kind: string, workload: Workload, caseId: string): Step {
  const object = workloadRef(kind, workload);
  const { annotations } = workload.metadata;
  const key = `/metadata/annotations/${pointerKey(CASE_LABEL)}`;
  const patch: JsonPatch = annotations
    ? [{ op: "add", path: key, value: caseId }]
    : [{ op: "add", path: "/metadata/annotations", value: { [CASE_LABEL]: caseId } }];
  return {
    why: "mark the workload as under investigation",
    write: { action: "patch", object, patch },
    undo: { action: "patch", object, patch: [{ op: "remove", path: key }] },
  };
}

/** An autoscaler leaves a workload of zero replicas alone until somebody scales it up again. */
export function scaleToZero(owner: Owner & { readonly workload: Workload }): Step {
  const object = workloadRef(owner.kind, owner.workload);
  const setTo = (value: number): JsonPatch => [{ op: "add", path: "/spec/replicas", value }];
  return {
    why: `stop every other pod of ${describeOwner(owner)}`,
    write: { action: "patch", object, patch: setTo(0) },
    undo: { action: "patch", object, patch: setTo(owner.workload.spec.replicas ?? 1) },
  };
}

/**
 * Points a policy of somebody else at nothing, and takes its rules out: a node's agent of the VPC CNI
 * may remember a policy longer than its selection. What it was is kept in `undo`.
 */
export function suspend(policy: NetworkPolicy, object: ObjectRef, caseId: string): Step {
  const { podSelector = {}, ingress, egress } = policy.spec;
  const set = (spec: Readonly<Record<string, unknown>>) =>
    Object.entries(spec).map(
      ([field, value]) => ({ op: "add", path: `/spec/${field}`, value }) as const,
    );
  const selector = { matchLabels: { [SUSPENDED_LABEL]: caseId } };
  // Null is what the API server keeps of an empty list: a write that is repeated changes nothing.
  const empty = { ...(ingress && { ingress: null }), ...(egress && { egress: null }) };
  const patch = set({ podSelector: selector, ...empty });
  const was = { podSelector, ...(ingress && { ingress }), ...(egress && { egress }) };
  return {
    why: `${object.kind} ${object.namespace}/${object.name} allows traffic in the namespace`,
    write: { action: "patch", object, patch },
    undo: { action: "patch", object, patch: set(was) },
  };
}

function setLabels(value: Labels): JsonPatch {
  return [{ op: "add", path: "/metadata/labels", value }];
}

function workloadRef(kind: string, { metadata }: Workload): ObjectRef {
  const { namespace = "", name, uid = "" } = metadata;
  return { apiVersion: kind === "Job" ? "batch/v1" : "apps/v1", kind, namespace, name, uid };
}

/** A key as one segment of a JSON pointer (RFC 6901). */
export function pointerKey(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}
