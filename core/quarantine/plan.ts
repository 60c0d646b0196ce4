import type { Mode } from "../alert/alert.ts";
import type { Brake, Braked } from "../brakes/brake.ts";
import type { NetworkFacts } from "../cluster/network.ts";
import type { Labels } from "../kubernetes.ts";
import type { Denial, PolicySet } from "../policies.ts";
import type { ProvenTarget } from "../target/prove.ts";
import type { Before } from "./before.ts";
import { otherOwner } from "./labels.ts";
import type { Note } from "./notes.ts";
import type { Order, QuarantineSettings } from "./settings.ts";
import { createDenial, type Step } from "./steps.ts";
import type { Affected } from "./surroundings.ts";

/** What must have come about in the cluster before a phase begins. */
export type Condition =
  /** No other pod has the target's identifier, and no policy is resolved to one that had. */
  | { readonly until: "siblingsGone"; readonly identifier: string }
  /** What was resolved of these policies names no pod any more. */
  | { readonly until: "suspended"; readonly policies: readonly string[] }
  /** The CNI's controller has taken back what it resolved of the policy. */
  | {
      readonly until: "endpointsGone";
      readonly policy: string;
      /** Null for a cluster-scoped policy. */
      readonly namespace: string | null;
    };

/** Writes that are made together, once their condition has come. */
export interface Phase {
  /** Null: at once. */
  readonly after: Condition | null;
  /** What is done when the condition has not come within the bound. */
  readonly otherwise: "carryOut" | "skip";
  readonly steps: readonly Step[];
}

/** Every write that will be made, in order. In audit mode the plan is the result. */
export interface Plan {
  readonly caseId: string;
  readonly mode: Mode;
  /** What made an audit of a containment. */
  readonly brakes: readonly Brake[];
  readonly target: ProvenTarget;
  readonly plannedAt: string;
  readonly network: NetworkFacts;
  /** Null where it makes no difference: a namespace, or a CNI that judges pod by pod. */
  readonly order: Order | null;
  readonly phases: readonly Phase[];
  readonly affected: Affected | null;
  readonly notes: readonly Note[];
  readonly before: Before;
}

export interface PlanInput extends Braked {
  readonly caseId: string;
  readonly plannedAt: string;
  readonly network: NetworkFacts;
  readonly policies: PolicySet;
  readonly namespaceLabels: Labels;
  readonly order: Order;
  readonly settings: QuarantineSettings;
}

export function common(input: PlanInput) {
  const { caseId, mode, brakes, plannedAt, network } = input;
  return { caseId, mode, brakes, plannedAt, network };
}

export function atOnce(steps: readonly Step[]): Phase {
  return { after: null, otherwise: "carryOut", steps };
}

export function overriding(strongest: Denial | null): readonly Step[] {
  return strongest ? [createDenial(strongest, "override every policy that allows")] : [];
}

/**
 * The first policy of the plan whose name is somebody else's, in words; null when all are free or
 * of this case. An object that is not ours is never overwritten.
 */
export function nameTaken(plan: Plan, policies: PolicySet): string | null {
  const there = [
    ...policies.networkPolicies,
    ...policies.clusterNetworkPolicies,
    ...policies.ciliumNetworkPolicies,
    ...policies.calicoPolicies,
  ];
  for (const { kind, metadata } of denialsOf(plan)) {
    const taken = there.find(
      (each) => each.metadata.name === metadata.name && (each.kind ?? kind) === kind,
    );
    const owner = taken && otherOwner(taken.metadata, plan.caseId);
    if (owner) return `${kind} ${metadata.name} exists and is ${owner}`;
  }
  return null;
}

/** The policies of the case's own that stand once the plan is carried out. */
export function denialsOf(plan: Plan): readonly Denial[] {
  const made = new Map<string, Denial>();
  for (const { write } of plan.phases.flatMap(({ steps }) => steps)) {
    if (write.action === "create") {
      made.set(`${write.object.kind} ${write.object.metadata.name}`, write.object);
    }
  }
  return [...made.values()];
}
