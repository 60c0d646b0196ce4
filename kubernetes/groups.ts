import type { ClusterNeeds, Needs } from "../core/needs.ts";
import { DRAIN_PLAN_NEEDS } from "../core/node/drain-plan.ts";
import { PLAN_NEEDS } from "../core/quarantine/apply-policy.ts";
import { fileOf, STATES, type StateName } from "../functions/contract.ts";
import { type ClusterState, NEEDS } from "../functions/needs.ts";

/*
 * The Kubernetes groups that kubernetes/rbac.yaml gives rights to. EKS keeps names that begin with
 * system:, eks:, aws:, amazon: and iam: for itself.
 */
export type KubernetesGroup = `containment-${string}`;

/** Of people who may look at what would be done, as `containment plan` and `containment drain` do. */
export const READERS: KubernetesGroup = "containment-readers";

export const READERS_NEEDS = {
  reads: [...PLAN_NEEDS.kubernetes.reads, ...DRAIN_PLAN_NEEDS.kubernetes.reads],
  optional: PLAN_NEEDS.kubernetes.optional,
} as const satisfies ClusterNeeds;

export const CLUSTER_STATES: readonly ClusterState[] = STATES.filter(talksToCluster);

export function talksToCluster(state: StateName): state is ClusterState {
  return "kubernetes" in NEEDS[state];
}

/** The group with the rights that the state itself needs, and no others. */
export function groupOf(state: ClusterState): KubernetesGroup {
  return `containment-${fileOf(state)}`;
}

/** The groups of the state's function: its own, and those of the states whose rights it checks. */
export function groupsOf(state: ClusterState): readonly KubernetesGroup[] {
  const { checks = [] }: Needs = NEEDS[state];
  const checked = CLUSTER_STATES.filter((each) => checks.includes(NEEDS[each]));
  return [state, ...checked].map(groupOf);
}
