import type { Mode } from "../alert/alert.ts";

/**
 * What turns a containment into an audit, in the order in which it is asked. Whoever reads of one is
 * told what it held back and how it is lifted (docs/brakes.md).
 */
export const BRAKES = {
  protectedNamespace: "The target is in a namespace that the settings protect",
  maintenanceWindow: "A maintenance window is open, and a sensor raised the alert",
  killSwitch: "The stage's kill switch is engaged, or could not be read in the middle of a run",
  circuitBreaker: "The cluster had as many new targets as are contained without a person",
  protectedLabel: "The target bears a label that the settings protect",
} as const;
export type BrakeName = keyof typeof BRAKES;

/** One brake that held something back. */
export interface Brake {
  readonly brake: BrakeName;
  /** What was not written because of it. */
  readonly withheld: string;
  readonly why: string;
  /** What a person does to lift it, or to contain in spite of it. */
  readonly lift: string;
}

/** A mode, and the brakes that it comes from; none where nothing was to be held back. */
export interface Braked {
  readonly mode: Mode;
  readonly brakes: readonly Brake[];
}

/** What is held back before anything was written. */
export const EVERY_WRITE = "every write of the quarantine";

/** A run as the brakes that are asked now leave it: an audit once any of them holds. */
export function brake(run: Braked, asked: readonly (Brake | null)[]): Braked {
  const holding = asked.filter((each) => each !== null);
  if (run.mode === "audit" || holding.length === 0) return run;
  return { mode: "audit", brakes: [...run.brakes, ...holding] };
}
