import type { Note } from "./notes.ts";
import type { PodInput } from "./plan-pod.ts";
import { annotate, type Step, scaleToZero } from "./steps.ts";

/** What is done to the pod's workload, by setting. */
export interface WorkloadSteps {
  readonly steps: readonly Step[];
  /** True when the siblings will go because the workload is scaled to zero. */
  readonly stops: boolean;
  readonly notes: readonly Note[];
}

export function workloadSteps({ owner, settings, caseId }: PodInput): WorkloadSteps {
  if (settings.workload === "keep") return { steps: [], stops: false, notes: [] };
  const impossible = (why: string): WorkloadSteps => ({
    steps: [],
    stops: false,
    notes: [{ code: "notPossible", message: `workload response ${settings.workload}: ${why}` }],
  });
  if (owner.kind === "none") return impossible("the pod has no workload");
  if (owner.kind === "unknown") return impossible(`${owner.name} is not a kind that is known`);
  const marked = [annotate(owner.kind, owner.workload, caseId)];
  if (settings.workload === "annotate") return { steps: marked, stops: false, notes: [] };
  if (owner.kind === "DaemonSet" || owner.kind === "Job") {
    return impossible(`a ${owner.kind} has no replicas to scale`);
  }
  return { steps: [...marked, scaleToZero(owner)], stops: true, notes: [] };
}
