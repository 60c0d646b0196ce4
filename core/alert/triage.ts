import { type Brake, brake } from "../brakes/brake.ts";
import type { CircuitBreakerSettings } from "../brakes/circuit-breaker.ts";
import { type MaintenanceWindow, maintenanceBrake } from "../brakes/maintenance-window.ts";
import type { ProtectedLabels } from "../brakes/protected-label.ts";
import { protectedNamespaceBrake } from "../brakes/protected-namespace.ts";
import type { Needs } from "../needs.ts";
import type { Target } from "../target/target.ts";
import { type Alert, atLeast, type Mode, type Severity } from "./alert.ts";
import type { Reading } from "./reading.ts";

/** It decides about what it is given. */
export const TRIAGE_NEEDS = {} as const satisfies Needs;

/** What an alert about a pod contains. */
export const SCOPES = ["pod", "namespace"] as const;
export type Scope = (typeof SCOPES)[number];

/** What an operator decided for the stage; see `stage-settings.ts` for defaults and reasons. */
export interface ResponseSettings {
  readonly mode: Mode;
  readonly actingSeverities: readonly Severity[];
  readonly minimumSeverity: Severity;
  readonly scope: Scope;
  readonly protectedNamespaces: readonly string[];
  readonly maintenanceWindows: readonly MaintenanceWindow[];
  readonly circuitBreaker: CircuitBreakerSettings;
  readonly protectedLabels: ProtectedLabels;
}

/** The answer to "what will the product do with this event?", with the reason in words. */
export type Triage =
  | {
      readonly decision: "act";
      readonly reason: string;
      readonly mode: Mode;
      /** What made an audit of a containment. */
      readonly brakes: readonly Brake[];
      readonly alert: Alert;
      readonly target: Target;
    }
  | { readonly decision: "ignore"; readonly reason: string; readonly alert: Alert | null }
  | { readonly decision: "deadLetter"; readonly reason: string };

/**
 * Decides about one event that was read. Pure, and the same for the workflow and for
 * `containment triage`. Asks the brakes that need nothing but the settings and the time.
 */
export function triage(reading: Reading, settings: ResponseSettings, now: Date): Triage {
  if (reading.kind === "unreadable") return { decision: "deadLetter", reason: reading.reason };
  if (reading.kind === "refused") {
    return { decision: "ignore", reason: reading.reason, alert: reading.alert };
  }
  const { alert, requestedMode } = reading.detection;
  if (requestedMode === undefined && !atLeast(alert.severity, settings.minimumSeverity)) {
    const reason = `severity ${alert.severity} is below this stage's ${settings.minimumSeverity}`;
    return { decision: "ignore", reason, alert };
  }
  const byHand = requestedMode !== undefined;
  const target = byHand ? reading.detection.target : scoped(reading.detection.target, settings);
  const { mode, why } = byHand
    ? { mode: requestedMode, why: `${requestedMode} was asked for` }
    : modeOf(alert, settings);
  const run = brake({ mode, brakes: [] }, [
    protectedNamespaceBrake(target, settings.protectedNamespaces),
    byHand ? null : maintenanceBrake(settings.maintenanceWindows, now),
  ]);
  const held = run.brakes.map((each) => each.why).join("; ");
  const reason =
    held === "" ? `${alert.source} alert; ${why}` : `${held}, so ${why}, turned into audit`;
  return { decision: "act", reason, ...run, alert, target };
}

/** What the stage lets an alert of a sensor lead to by itself. */
function modeOf(
  { severity }: Alert,
  { mode, actingSeverities }: ResponseSettings,
): { readonly mode: Mode; readonly why: string } {
  if (mode === "containment" && !actingSeverities.includes(severity)) {
    return { mode: "audit", why: `severity ${severity} does not act by itself in this stage` };
  }
  return { mode, why: `the stage's mode is ${mode}` };
}

/** The target that the stage contains for one that a sensor names. */
function scoped(target: Target, { scope }: ResponseSettings): Target {
  if (scope === "pod" || target.kind === "namespace") return target;
  const { cluster, namespace } = target;
  return { kind: "namespace", cluster, namespace, name: namespace, uid: null };
}
