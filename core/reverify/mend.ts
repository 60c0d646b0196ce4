import type { Brake } from "../brakes/brake.ts";
import { type MaintenanceWindow, maintenanceBrake } from "../brakes/maintenance-window.ts";
import { protectedNamespaceBrake } from "../brakes/protected-namespace.ts";
import type { Completion } from "../quarantine/complete-policy.ts";
import type { Plan } from "../quarantine/plan.ts";
import type { Step } from "../quarantine/steps.ts";
import type { Target } from "../target/target.ts";
import type { Mark } from "./drift.ts";

/** What a stage does when a containment has drifted. */
export const ON_DRIFT = ["report", "reapply"] as const;
export type OnDrift = (typeof ON_DRIFT)[number];

/** What the settings of a stage say of a containment that has drifted. */
export interface DriftSettings {
  readonly onDrift: OnDrift;
  readonly protectedNamespaces: readonly string[];
  readonly maintenanceWindows: readonly MaintenanceWindow[];
}

/** Whether a look may put back what has drifted, and who says so: the schedule or a person. */
export const MENDING = ["no", "scheduled", "byHand"] as const;
export type Mending = (typeof MENDING)[number];

/**
 * What keeps a quarantine from being put back now. A person passes maintenance windows, as with every
 * request by hand. The workflow asks the kill switch besides.
 */
export function mendingBrakes(
  target: Target,
  mend: Mending,
  { protectedNamespaces, maintenanceWindows }: DriftSettings,
  now: Date,
): readonly Brake[] {
  return [
    protectedNamespaceBrake(target, protectedNamespaces),
    mend === "byHand" ? null : maintenanceBrake(maintenanceWindows, now),
  ].filter((each) => each !== null);
}

/**
 * How often one case's quarantine is put back. Whoever changes it a fourth time is a person or a
 * program that will go on, and only a person can end that.
 */
export const REAPPLIES_AT_MOST = 3;

/** Kinds of which a patch of the plan cuts off; those of a workload roll it out or scale it. */
const CUTTING: readonly string[] = ["Pod", "NetworkPolicy", "ApplicationNetworkPolicy"];

/**
 * The writes of the run that hold the target contained, in their order: its labels, its policies,
 * and the policies of others that it suspended. Made again they change only what was changed. What
 * the run did once is left out: a rollout would be started again, a workload that somebody scaled up
 * would be stopped again, and a policy that was deleted to be made again would open the pod.
 */
export function mendingSteps(plan: Plan, completion: Completion | null): readonly Step[] {
  const wasCarriedOut = (phase: number) =>
    phase === 0 ||
    (completion?.phases ?? []).some((each) => each.phase === phase && each.carriedOut.length > 0);
  return plan.phases
    .filter((_, phase) => wasCarriedOut(phase))
    .flatMap(({ steps }) => steps)
    .filter(
      ({ write }) =>
        write.action === "create" ||
        (write.action === "patch" && CUTTING.includes(write.object.kind)),
    );
}

/** What those writes can undo. */
const MENDABLE: readonly string[] = [
  ...["labelMissing", "policyMissing", "policyChanged", "otherPolicyAllows"],
  ...["ownedAgain", "serviceSelects"],
];

/** Nothing is put back where the target is gone: what bears its name was never judged. */
const GONE: readonly string[] = ["podGone", "namespaceGone"];

/** Whether putting the quarantine back can mend what was found. */
export function isMendable(plan: Plan, drift: readonly Mark[], found: readonly Mark[]): boolean {
  if (found.some(({ code }) => GONE.includes(code))) return false;
  const patches = mendingSteps(plan, null).some(({ write }) => write.action === "patch");
  return drift.some(
    // In a namespace of which nothing was patched, policies of others were left to their owners.
    ({ code }) => MENDABLE.includes(code) && (code !== "otherPolicyAllows" || patches),
  );
}
