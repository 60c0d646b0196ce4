import type { Mode } from "../alert/alert.ts";
import type { JsonPatch, Node, ObjectRef, Pod } from "../kubernetes.ts";
import { CASE_LABEL } from "../quarantine/labels.ts";
import { pointerKey } from "../quarantine/steps.ts";
import { describeTarget, type Target } from "../target/target.ts";
import type { GroupMembership } from "./instances.ts";
import type { NotPreserved } from "./not-preserved.ts";

/** What an operator decided about nodes; see `stage-settings.ts` for defaults and reasons. */
export interface PreservationSettings {
  readonly cordon: boolean;
  readonly protect: boolean;
}

/** What was seen of one node under the target, before anything was written. */
export interface SeenNode {
  readonly node: Node;
  /** Those of the target. */
  readonly pods: readonly Pod[];
  /** Null where there is none, or none any more. */
  readonly instance: SeenInstance | null;
}

export interface SeenInstance {
  readonly instanceId: string;
  readonly spot: boolean;
  /** Null: could not be looked at, so it is not touched either. */
  readonly terminationProtected: boolean | null;
  /** Null: in no group, or could not be looked at. */
  readonly membership: GroupMembership | null;
}

/** Fields of a node or pod, of which an absent annotation is null. */
export interface KeptFields {
  readonly unschedulable?: boolean;
  readonly annotations: Readonly<Record<string, string | null>>;
}

/** One protection: what it sets, what was there before, and how it is undone. */
export type ProtectionStep = ObjectStep | InstanceStep;

export interface ObjectStep {
  readonly protection: "cordon" | "keepNode" | "keepPod";
  readonly why: string;
  readonly object: ObjectRef;
  readonly set: KeptFields;
  readonly before: KeptFields;
  readonly undo:
    | { readonly action: "patch"; readonly object: ObjectRef; readonly patch: JsonPatch }
    | NothingToUndo;
}

export interface InstanceStep {
  readonly protection: "scaleIn" | "termination";
  readonly why: string;
  readonly instanceId: string;
  /** The Auto Scaling group; null for termination, which is EC2's. */
  readonly group: string | null;
  readonly before: boolean;
  readonly undo: { readonly action: "setProtection"; readonly to: false } | NothingToUndo;
}

interface NothingToUndo {
  readonly action: "none";
  readonly why: string;
}

/** Every protection that will be given, in order. In audit mode the plan is the result. */
export interface PreservationPlan {
  readonly caseId: string;
  readonly mode: Mode;
  readonly target: Target;
  readonly plannedAt: string;
  readonly settings: PreservationSettings;
  readonly steps: readonly ProtectionStep[];
  /** What no protection holds back, and what cannot be protected. */
  readonly notPreserved: readonly NotPreserved[];
}

/** Why the node is cordoned, for whoever finds it so. */
export const REASON_ANNOTATION = "eks-containment/reason";
/** Karpenter consolidates no such node or pod and replaces none for drift; it still expires nodes. */
export const DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt";
/** Cluster Autoscaler scales no node down on which such a pod runs. */
export const SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict";

/** Decides which protections each node, its instance and its pods get. Nodes come before pods. */
export function planPreservation(input: {
  readonly caseId: string;
  readonly mode: Mode;
  readonly target: Target;
  readonly plannedAt: string;
  readonly settings: PreservationSettings;
  readonly nodes: readonly SeenNode[];
  readonly notPreserved: readonly NotPreserved[];
}): PreservationPlan {
  const { nodes, caseId, target, ...rest } = input;
  const { cordon: cordons, protect } = input.settings;
  const settings = { cordon: cordons, protect }; // the stage's may hold more, for other states
  const ofNodes = nodes.flatMap(({ node, instance }) => [
    ...(settings.cordon ? [cordon(node, caseId, target)] : []),
    ...(settings.protect ? [keepNode(node), ...keepInstance(instance)] : []),
  ]);
  const ofPods = settings.protect ? nodes.flatMap(({ pods }) => pods.map(keepPod)) : [];
  const open = settings.protect ? nodes.flatMap(notHeldBack) : [];
  const off = (["cordon", "protect"] as const)
    .filter((setting) => !settings[setting])
    .map((setting) => ({ what: setting, reason: `switched off by preservation.${setting}` }));
  const notPreserved = [...rest.notPreserved, ...open, ...off];
  return { ...rest, caseId, target, settings, steps: [...ofNodes, ...ofPods], notPreserved };
}

function cordon(node: Node, caseId: string, target: Target): ObjectStep {
  const reason = `${describeTarget(target)} is contained (case ${caseId}): keep this node for forensics`;
  const annotations = { [CASE_LABEL]: caseId, [REASON_ANNOTATION]: reason };
  // A later case takes the node over and notes whose it was: undone in turn, the last case first.
  return objectStep("cordon", "no further pod may start on the node", nodeRef(node), node, {
    unschedulable: true,
    annotations,
  });
}

function keepNode(node: Node): ObjectStep {
  const why = "Karpenter must not consolidate the node or replace it for drift";
  return objectStep("keepNode", why, nodeRef(node), node, {
    annotations: { [DO_NOT_DISRUPT]: "true" },
  });
}

function keepPod(pod: Pod): ObjectStep {
  const { namespace = "", name, uid = "" } = pod.metadata;
  const object: ObjectRef = { apiVersion: "v1", kind: "Pod", namespace, name, uid };
  const why = "no autoscaler may evict the pod to take its node away";
  return objectStep("keepPod", why, object, pod, {
    annotations: { [DO_NOT_DISRUPT]: "true", [SAFE_TO_EVICT]: "false" },
  });
}

function keepInstance(instance: SeenInstance | null): readonly InstanceStep[] {
  if (!instance) return [];
  const { instanceId, spot, terminationProtected, membership } = instance;
  const scaleIn: InstanceStep[] = membership
    ? [
        {
          protection: "scaleIn",
          why: "Auto Scaling must not choose the instance when it scales in",
          ...{ instanceId, group: membership.group },
          before: membership.protectedFromScaleIn,
          undo: undoOf(membership.protectedFromScaleIn),
        },
      ]
    : [];
  if (spot || terminationProtected === null) return scaleIn;
  const termination: InstanceStep = {
    protection: "termination",
    why: "nobody may terminate the instance through EC2 by mistake",
    ...{ instanceId, group: null },
    before: terminationProtected,
    undo: undoOf(terminationProtected),
  };
  return [...scaleIn, termination];
}

function undoOf(before: boolean): InstanceStep["undo"] {
  return before
    ? { action: "none", why: "it was protected before" }
    : { action: "setProtection", to: false };
}

/** What takes a node away whatever is set on it. */
function notHeldBack({ node, instance }: SeenNode): readonly NotPreserved[] {
  const { name: what, labels = {} } = node.metadata;
  const reasons = [
    ...(instance?.spot
      ? ["a Spot instance: AWS takes it back with two minutes' notice, nothing prevents that"]
      : []),
    ...("eks.amazonaws.com/nodegroup" in labels
      ? [
          `of the managed node group ${labels["eks.amazonaws.com/nodegroup"]}: where its node ` +
            "auto-repair is on, which cannot be read here, a node that is NotReady is replaced",
        ]
      : []),
    ...("karpenter.sh/nodepool" in labels
      ? [
          `of the Karpenter NodePool ${labels["karpenter.sh/nodepool"]}: where it has an ` +
            "expireAfter, which is not read here, the node ends then whatever is set on it",
        ]
      : []),
    ...(labels["eks.amazonaws.com/compute-type"] === "auto"
      ? ["of EKS Auto Mode, which replaces its nodes at the end of their lifetime"]
      : []),
  ];
  return reasons.map((reason) => ({ what, reason }));
}

function objectStep(
  protection: ObjectStep["protection"],
  why: string,
  object: ObjectRef,
  seen: Kept,
  set: KeptFields,
): ObjectStep {
  const before = fieldsOf(seen, set);
  if (changeTo(set, seen).length === 0) {
    return {
      protection,
      why,
      object,
      set,
      before,
      undo: { action: "none", why: "it was so before" },
    };
  }
  // Undone only while it is as it was set: what somebody else decided meanwhile stands.
  const guards: JsonPatch = Object.entries(set.annotations).map(([key, value]) => ({
    op: "test",
    path: annotationPath(key),
    value,
  }));
  const back: JsonPatch = Object.entries(before.annotations).map(([key, value]) =>
    value === null
      ? { op: "remove", path: annotationPath(key) }
      : { op: "add", path: annotationPath(key), value },
  );
  const schedulable: JsonPatch =
    set.unschedulable === undefined
      ? []
      : [{ op: "add", path: "/spec/unschedulable", value: before.unschedulable ?? false }];
  const patch = [...guards, ...schedulable, ...back];
  return { protection, why, object, set, before, undo: { action: "patch", object, patch } };
}

type Kept = Node | Pod;

function isCordoned({ spec }: Kept): boolean {
  return "unschedulable" in spec && spec.unschedulable === true;
}

/** What the object holds in the fields that are to be set. */
function fieldsOf(seen: Kept, set: KeptFields): KeptFields {
  const { annotations = {} } = seen.metadata;
  return {
    ...(set.unschedulable === undefined ? {} : { unschedulable: isCordoned(seen) }),
    annotations: Object.fromEntries(
      Object.keys(set.annotations).map((key) => [key, annotations[key] ?? null]),
    ),
  };
}

/** The patch that brings the object to these fields; empty when it holds them already. */
export function changeTo(set: KeptFields, there: Kept): JsonPatch {
  const { annotations } = there.metadata;
  const missing = Object.entries(set.annotations).filter(
    ([key, value]) => (annotations?.[key] ?? null) !== value,
  );
  const cordoned: JsonPatch =
    set.unschedulable === undefined || isCordoned(there) === set.unschedulable
      ? []
      : [{ op: "add", path: "/spec/unschedulable", value: set.unschedulable }];
  if (missing.length === 0) return cordoned;
  const annotated: JsonPatch = annotations
    ? missing.map(([key, value]) => ({ op: "add", path: annotationPath(key), value }))
    : [{ op: "add", path: "/metadata/annotations", value: Object.fromEntries(missing) }];
  return [...cordoned, ...annotated];
}

function nodeRef({ metadata: { name, uid = "" } }: Node): ObjectRef {
  return { apiVersion: "v1", kind: "Node", namespace: null, name, uid };
}

function annotationPath(key: string): string {
  return `/metadata/annotations/${pointerKey(key)}`;
}

/** True when all was so before anything was written. */
export function wasSo(step: ProtectionStep): boolean {
  return step.undo.action === "none";
}
