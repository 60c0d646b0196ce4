import type { Target } from "../target/target.ts";
import { type Alert, atLeast, type Mode, type Severity } from "./alert.ts";
import type { Reading } from "./reading.ts";

/** What an operator decided for the stage; see `stages.ts` for defaults and reasons. */
export interface ResponseSettings {
  readonly mode: Mode;
  readonly minimumSeverity: Severity;
  readonly protectedNamespaces: readonly string[];
}

/** The answer to "what will the product do with this event?", with the reason in words. */
export type Triage =
  | {
      readonly decision: "act";
      readonly reason: string;
      readonly mode: Mode;
      readonly alert: Alert;
      readonly target: Target;
    }
  | { readonly decision: "ignore"; readonly reason: string; readonly alert: Alert | null }
  | { readonly decision: "deadLetter"; readonly reason: string };

/**
 * Decides about one event that was read. Pure, and the same for the workflow and for
 * `containment triage`. A protected namespace is never written to: its runs are audits.
 */
export function triage(reading: Reading, settings: ResponseSettings): Triage {
  if (reading.kind === "unreadable") return { decision: "deadLetter", reason: reading.reason };
  if (reading.kind === "refused") {
    return { decision: "ignore", reason: reading.reason, alert: reading.alert };
  }
  const { alert, target, requestedMode } = reading.detection;
  if (requestedMode === undefined && !atLeast(alert.severity, settings.minimumSeverity)) {
    const reason = `severity ${alert.severity} is below this stage's ${settings.minimumSeverity}`;
    return { decision: "ignore", reason, alert };
  }
  const asked = requestedMode ?? settings.mode;
  const why =
    requestedMode === undefined ? `the stage's mode is ${asked}` : `${asked} was asked for`;
  if (asked === "containment" && settings.protectedNamespaces.includes(target.namespace)) {
    const reason = `namespace ${target.namespace} is protected, so ${why}, turned into audit`;
    return { decision: "act", reason, mode: "audit", alert, target };
  }
  return { decision: "act", reason: `${alert.source} alert; ${why}`, mode: asked, alert, target };
}
