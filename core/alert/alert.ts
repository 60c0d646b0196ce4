import type { Target } from "../target/target.ts";

/** Normalised severities, most severe first. */
export const SEVERITIES = ["critical", "high", "medium", "low", "informational"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** `containment` changes the cluster; `audit` makes the same plan and withholds every write. */
export const MODES = ["containment", "audit"] as const;
export type Mode = (typeof MODES)[number];

/** One normalised detection. The raw body that it came from is kept beside it, as evidence. */
export interface Alert {
  readonly source: "falco" | "guardduty" | "manual";
  /** The source's own identifier: Falco's `uuid`, GuardDuty's finding id, the request's event id. */
  readonly id: string;
  readonly rule: string;
  readonly severity: Severity;
  /** When the sensor saw it, RFC 3339 in UTC, to the millisecond. */
  readonly detectedAt: string;
}

/** What a source's parser makes of one event that it understood. */
export interface Detection {
  readonly alert: Alert;
  readonly target: Target;
  /** Given by a request made by hand; sensors leave the mode to the stage's settings. */
  readonly requestedMode?: Mode;
}

/** True when `severity` is at least as severe as `threshold`. */
export function atLeast(severity: Severity, threshold: Severity): boolean {
  return SEVERITIES.indexOf(severity) <= SEVERITIES.indexOf(threshold);
}
