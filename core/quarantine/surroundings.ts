import type { ObjectMeta, Pod, Surroundings } from "../kubernetes.ts";
import { describeOwner, type Owner } from "./owner.ts";
import { selects } from "./selector.ts";
import { podIdentifier } from "./vpc-cni/identifier.ts";

/** What a quarantine will touch besides its target. Names, for the plan's reader. */
export interface Affected {
  readonly workload: string | null;
  /** Services that will no longer send to the pod. */
  readonly services: readonly string[];
  readonly podDisruptionBudgets: readonly string[];
  readonly horizontalPodAutoscalers: readonly string[];
  /** Pods that share the VPC CNI's pod identifier, and so the pod's fate; empty on other CNIs. */
  readonly siblings: readonly string[];
  /** What was not looked at, because there is too much of it or because reading it failed. */
  readonly unknown: readonly string[];
}

/** Names what depends on the pod. Its surroundings are null when they could not be read. */
export function affectedBy(
  pod: Pod,
  owner: Owner,
  surroundings: Surroundings | null,
  sharesIdentifiers: boolean,
): Affected {
  const workload = describeOwner(owner);
  if (!surroundings) {
    return {
      workload,
      services: [],
      podDisruptionBudgets: [],
      horizontalPodAutoscalers: [],
      siblings: [],
      unknown: ["Services, PodDisruptionBudgets, autoscalers and siblings could not be read"],
    };
  }
  const { name, labels = {} } = pod.metadata;
  const { pods, services, disruptionBudgets, autoscalers } = surroundings;
  const scaled = owner.kind === "none" || owner.kind === "unknown" ? null : owner;
  return {
    workload,
    services: named(
      services.items.filter(
        ({ spec }) =>
          Object.keys(spec.selector ?? {}).length > 0 &&
          selects({ matchLabels: spec.selector ?? {} }, labels),
      ),
    ),
    podDisruptionBudgets: named(
      disruptionBudgets.items.filter(({ spec }) => spec.selector && selects(spec.selector, labels)),
    ),
    horizontalPodAutoscalers: named(
      autoscalers.items.filter(
        ({ spec: { scaleTargetRef } }) =>
          scaleTargetRef.kind === scaled?.kind &&
          scaleTargetRef.name === scaled.workload.metadata.name,
      ),
    ),
    siblings: sharesIdentifiers
      ? named(pods.items).filter(
          (other) => other !== name && podIdentifier(other) === podIdentifier(name),
        )
      : [],
    unknown: [
      ["pods", pods.remaining] as const,
      ["Services", services.remaining] as const,
      ["PodDisruptionBudgets", disruptionBudgets.remaining] as const,
      ["autoscalers", autoscalers.remaining] as const,
    ]
      .filter(([, remaining]) => remaining > 0)
      .map(([kind, remaining]) => `${remaining} more ${kind} were not looked at`),
  };
}

function named(objects: readonly { readonly metadata: ObjectMeta }[]): string[] {
  return objects.map(({ metadata }) => metadata.name);
}
