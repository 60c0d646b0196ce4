import type { Brake } from "../brakes/brake.ts";
import { PermanentError } from "../errors.ts";
import { artefactKey, openTargetOf } from "../evidence/keys.ts";
import type { DrainPlan } from "../evidence/schemas/drain.ts";
import type { EvidenceStore } from "../evidence/store.ts";
import type { Kubernetes, ObjectMeta } from "../kubernetes.ts";
import type { Needs } from "../needs.ts";
import { CASE_LABEL } from "../quarantine/labels.ts";
import type { Plan } from "../quarantine/plan.ts";
import type { ProvenTarget } from "../target/prove.ts";
import type { PreservationPlan } from "./preservation-plan.ts";

/** Of whoever wants to see what a drain would evict, as `containment drain` shows it. */
export const DRAIN_PLAN_NEEDS = {
  kubernetes: { reads: ["node", "podsOnNode"] },
} as const satisfies Needs;

/** A run that contained, whose nodes are to be emptied around its target. */
export interface DrainRequest {
  readonly case: { readonly id: string; readonly runId: string };
  readonly cluster: string;
  readonly reason: string;
}

type Reads = Pick<Kubernetes, "node" | "podsOnNode">;
type Store = Pick<EvidenceStore, "read" | "inspect">;

type Named = { readonly metadata: ObjectMeta };

/** What must stay whatever else is evicted. */
export interface Kept {
  /** The contained target, with the UID that was proven. */
  readonly target: ProvenTarget;
  /** Targets of every case that is open in the cluster. */
  readonly open: readonly NonNullable<ReturnType<typeof openTargetOf>>[];
}

/** A mirror of a manifest on the node: the kubelet keeps the pod, whatever becomes of its mirror. */
const MIRROR = "kubernetes.io/config.mirror";

/**
 * Decides which pods leave the nodes of a contained target: those that a controller starts again
 * elsewhere, on nodes that the run has cordoned and that still are. A brake that holds makes an audit
 * of it. Reads; writes nothing.
 *
 * Errors: `InvalidInput` when there is no such run, or when it has changed nothing.
 */
export async function makeDrainPlan(
  request: DrainRequest,
  brakes: readonly Brake[],
  {
    kubernetes,
    store,
    now,
  }: { readonly kubernetes: Reads; readonly store: Store; readonly now: () => Date },
): Promise<DrainPlan> {
  const { case: of, reason } = request;
  const kept = await keptBy(request, store);
  const plan: DrainPlan = {
    ...{ caseId: of.id, containedRunId: of.runId, reason, brakes },
    mode: brakes.length > 0 ? "audit" : "containment",
    plannedAt: now().toISOString(),
    ...{ nodes: [], evictions: [], stays: [], notDrained: [] },
    undo: "none: the controller of an evicted pod has started another one, elsewhere",
  };
  for (const { name, uid } of await cordonedBy(of, store)) {
    // First, as it fails where the API server has lost its kinds: then a missing node proves nothing.
    const pods = await podsOn(name, kubernetes);
    const node = await kubernetes.node(name);
    const why =
      node?.metadata.uid !== uid
        ? "it is gone, or another one has its name"
        : node.spec.unschedulable !== true
          ? "it is no longer cordoned: what is evicted would come back to it"
          : null;
    if (why !== null) {
      plan.notDrained.push({ node: name, reason: why });
      continue;
    }
    plan.nodes.push({ name, uid });
    for (const pod of pods) {
      const { namespace = "", name: podName, uid: podUid = "" } = pod.metadata;
      const found = { node: name, namespace, name: podName, uid: podUid };
      const stays = staysBecause(pod, kept);
      if (stays === null) plan.evictions.push({ ...found, controller: controllerOf(pod) ?? "" });
      else plan.stays.push({ ...found, reason: stays });
    }
  }
  return plan;
}

/** Why the pod is not evicted; null where it may be. */
export function staysBecause(pod: Named, { target, open }: Kept): string | null {
  const { namespace, name, uid, labels = {}, annotations = {}, deletionTimestamp } = pod.metadata;
  const isTarget = target.kind === "pod" ? uid === target.uid : namespace === target.namespace;
  if (isTarget) return "it is what was contained: it is kept for forensics";
  const caseId = labels[CASE_LABEL];
  if (caseId !== undefined) return `it is quarantined by case ${caseId}`;
  const isOpen = open.some(
    (each) => each.namespace === namespace && (each.kind === "namespace" || each.name === name),
  );
  if (isOpen) return "a case about it is open";
  if (deletionTimestamp !== undefined) return "it is ending already";
  if (MIRROR in annotations) return "the node's kubelet runs it from a file, no one can evict it";
  const controller = controllerOf(pod);
  if (controller === null) return "it has no controller: nobody would start it again";
  if (controller.startsWith("DaemonSet ")) return `${controller} would start it here again`;
  return null;
}

/** What must not be evicted, read anew: a case may have been opened since. */
export async function keptBy(request: DrainRequest, store: Store): Promise<Kept> {
  const { case: of, cluster } = request;
  const plan = await store.read<Plan>(artefactKey(of.runId, "plan.json"));
  if (!plan || plan.document.caseId !== of.id) {
    throw new PermanentError("InvalidInput", `run ${of.runId} of case ${of.id} has no plan`);
  }
  const { target, mode } = plan.document;
  if (mode === "audit") {
    throw new PermanentError(
      "InvalidInput",
      `run ${of.runId} was an audit: it cordoned no node, so there is none to drain`,
    );
  }
  const markers = await store.inspect(`open/${cluster}/`);
  return { target, open: markers.flatMap(({ key }) => openTargetOf(key) ?? []) };
}

/** Nodes that the run has cordoned, or found so. */
async function cordonedBy(
  of: DrainRequest["case"],
  store: Store,
): Promise<readonly { readonly name: string; readonly uid: string }[]> {
  const key = artefactKey(of.runId, "preservation-plan.json");
  const kept = await store.read<PreservationPlan>(key);
  const steps = kept?.document.steps ?? [];
  return steps.flatMap((step) =>
    step.protection === "cordon" ? [{ name: step.object.name, uid: step.object.uid }] : [],
  );
}

export async function podsOn(node: string, kubernetes: Reads): Promise<readonly Named[]> {
  const pods: Named[] = [];
  for await (const page of kubernetes.podsOnNode(node)) pods.push(...page);
  return pods;
}

/** `ReplicaSet checkout-7d9f`, as people read it. */
function controllerOf({ metadata }: Named): string | null {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller);
  return owner ? `${owner.kind} ${owner.name}` : null;
}
