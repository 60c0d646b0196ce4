import type { ObjectMeta } from "../kubernetes.ts";
import type { Denial } from "../policies.ts";
import { gitOpsOwner } from "./labels.ts";
import { replacementOf } from "./owner.ts";
import type { PodInput } from "./plan-pod.ts";
import type { Order } from "./settings.ts";
import type { Affected } from "./surroundings.ts";
import { podIdentifier } from "./vpc-cni/identifier.ts";
import type { WorkloadSteps } from "./workload.ts";

/** What the reader of a plan should know before agreeing to it. */
export interface Note {
  readonly code:
    | "replacement"
    | "price"
    | "notPossible"
    | "gitOps"
    | "autoscaler"
    | "budget"
    | "notProtected";
  readonly message: string;
}

export function podNotes(
  { pod, owner, network }: PodInput,
  plan: {
    readonly affected: Affected;
    readonly order: Order | null;
    readonly siblingsLeave: boolean;
    readonly strongest: Denial | null;
    readonly workload: WorkloadSteps;
  },
): readonly Note[] {
  const { affected, order, siblingsLeave, strongest, workload } = plan;
  const notes: Note[] = [
    { code: "replacement", message: replacementOf(owner).message },
    ...workload.notes,
  ];
  const siblings = affected.siblings.join(", ") || "none now";
  if (order === "fast" && strongest) {
    notes.push({
      code: "price",
      message: `fast: pods with the same identifier are cut off too until the rollout has replaced them: ${siblings}`,
    });
  } else if (order !== null) {
    notes.push({
      code: "price",
      message: `${order}: the pod stays reachable as its siblings are until the rollout has replaced them: ${siblings}`,
    });
  }
  if (network.cni === "vpc" && !siblingsLeave) {
    const why =
      owner.kind === "Deployment"
        ? "its Deployment is paused, so no rollout gives them others"
        : "no rollout can give them others";
    notes.push({
      code: "notPossible",
      message:
        `pods named ${podIdentifier(pod.metadata.name)}-* share one set of rules with the target, and ` +
        `${why}: they are cut off with it or keep it open: ${siblings}`,
    });
  }
  if (owner.kind !== "none" && owner.kind !== "unknown" && touchesWorkload(plan)) {
    notes.push(
      ...gitOpsNote(owner.workload.metadata, { kind: owner.kind, ...owner.workload.metadata }),
    );
  }
  for (const name of affected.horizontalPodAutoscalers) {
    const message = workload.stops
      ? `HorizontalPodAutoscaler ${name} leaves a workload of zero replicas alone`
      : `HorizontalPodAutoscaler ${name} goes on scaling the workload`;
    notes.push({ code: "autoscaler", message });
  }
  for (const name of affected.podDisruptionBudgets) {
    const message = `PodDisruptionBudget ${name} no longer counts the pod; rollouts and scaling do not ask it`;
    notes.push({ code: "budget", message });
  }
  return notes;
}

function touchesWorkload({
  order,
  workload,
}: {
  readonly order: Order | null;
  readonly workload: WorkloadSteps;
}): boolean {
  return order !== null || workload.steps.length > 0;
}

export function gitOpsNote(
  metadata: ObjectMeta,
  { kind, name }: { readonly kind: string; readonly name: string },
): readonly Note[] {
  const tool = gitOpsOwner(metadata);
  if (tool === null) return [];
  const message = `${kind} ${name} is kept by ${tool}, which may put it back: pause it there`;
  return [{ code: "gitOps", message }];
}
