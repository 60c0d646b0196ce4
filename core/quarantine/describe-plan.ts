import type { JsonPatch, Labels } from "../kubernetes.ts";
import type { Condition, Plan } from "./plan.ts";
import type { Step } from "./steps.ts";

/** A plan as a person reads it: every write in order, what it affects, and what it costs. */
export function planLines(plan: Plan): readonly string[] {
  const { network, order, affected } = plan;
  const lines = [
    `CNI: ${network.cni ?? "unknown"}, enforcing: ${network.enforcing}${order === null ? "" : `, order: ${order}`}`,
    ...plan.phases.flatMap(({ after, steps }) => [
      ...(after === null ? [] : [`once ${describeCondition(after)}:`]),
      ...steps.map((step) => `${after === null ? "" : "  "}${describeStep(step)}`),
      ...(steps.length === 0 ? ["  nothing more to write"] : []),
    ]),
  ];
  const touched = affected
    ? [
        ["Services that lose the pod", affected.services],
        ["PodDisruptionBudgets", affected.podDisruptionBudgets],
        ["HorizontalPodAutoscalers", affected.horizontalPodAutoscalers],
        ["pods that share its rules", affected.siblings],
        ["not looked at", affected.unknown],
      ]
    : [];
  for (const [what, names] of touched) {
    if (names && names.length > 0) lines.push(`${what}: ${[names].flat().join(", ")}`);
  }
  return [...lines, ...plan.notes.map(({ code, message }) => `${code}: ${message}`)];
}

function describeStep({ write, undo }: Step): string {
  if (write.action !== "patch") {
    const { kind, metadata } = write.object;
    const place = metadata.namespace === undefined ? "" : `${metadata.namespace}/`;
    return `${write.action} ${kind} ${place}${metadata.name}`;
  }
  const { kind, namespace, name } = write.object;
  const changed = write.patch.map(({ path }) => path).join(", ");
  const was = undo.action === "patch" ? ` (was ${shown(firstChange(undo.patch))})` : "";
  return `patch ${kind} ${namespace}/${name}: ${changed}${was}`;
}

function firstChange(patch: JsonPatch): unknown {
  return patch.find(({ op }) => op !== "test")?.value;
}

function shown(value: unknown): string {
  if (value === undefined) return "not there";
  const labels = Object.entries(value as Labels);
  const flat = typeof value === "object" && labels.every(([, each]) => typeof each === "string");
  return flat ? labels.map(([key, each]) => `${key}=${each}`).join(", ") : JSON.stringify(value);
}

/** What a phase waits for, in words. */
export function describeCondition(condition: Condition): string {
  switch (condition.until) {
    case "siblingsGone":
      return `the pods ${condition.identifier}-* are gone, and so is what was resolved to them`;
    case "suspended":
      return `nothing is resolved of ${condition.policies.join(", ")} any more`;
    case "endpointsGone":
      return `what was resolved of policy ${condition.policy} is taken back`;
  }
}
