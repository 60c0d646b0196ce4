import type { Mode, Severity } from "../alert/alert.ts";

/**
 * The order of writes on the AWS VPC CNI, whose pods of one ReplicaSet share one set of rules:
 * - `fast`: every policy at once. The pod is cut within milliseconds, and its siblings with it until
 *   the rollout has replaced them.
 * - `clean`: the siblings are replaced first. Nobody else is hit, and the pod stays reachable through
 *   its siblings' rules until the rollout is through.
 */
export const ORDERS = ["fast", "clean"] as const;
export type Order = (typeof ORDERS)[number];

/** What is done to the pod's workload. `annotate` marks it, `scaleToZero` stops all of it. */
export const WORKLOAD_RESPONSES = ["keep", "annotate", "scaleToZero"] as const;
export type WorkloadResponse = (typeof WORKLOAD_RESPONSES)[number];

/** What is done to other policies that allow traffic in a namespace that is contained. */
export const OTHER_POLICIES = ["report", "suspend"] as const;
export type OtherPolicies = (typeof OTHER_POLICIES)[number];

/** What an operator decided about quarantines; see `stage-settings.ts` for defaults and reasons. */
export interface QuarantineSettings {
  readonly order: Readonly<Record<Severity, Order>>;
  readonly workload: WorkloadResponse;
  readonly otherPolicies: Readonly<Record<Mode, OtherPolicies>>;
  /**
   * On a VPC CNI without ClusterNetworkPolicy: delete the deny-all policy and create it again, which
   * cuts flows that were established before, and opens the pod for about a third of a second.
   */
  readonly recreateToCutFlows: boolean;
}
