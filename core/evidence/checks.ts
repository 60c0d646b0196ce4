/** One thing that was looked at, and what came of it. */
export interface Check {
  /** What holds when it passes, as a sentence. */
  readonly what: string;
  /** `warning`: odd, and the manifest says so itself. `notChecked`: it cannot be told from here. */
  readonly outcome: "passed" | "failed" | "warning" | "notChecked";
  /** What was found instead, or why it could not be checked. */
  readonly found: readonly string[];
}

export const MANIFEST_NAME = "manifest.json";

/** A check that passes when nothing was found. */
export function check(what: string, found: readonly string[]): Check {
  return { what, outcome: found.length === 0 ? "passed" : "failed", found };
}

export function notChecked(what: string, why: string): Check {
  return { what, outcome: "notChecked", found: [why] };
}
