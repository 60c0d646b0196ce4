/** The ends of the cells as they were last run, kept beside the table. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Outcome } from "./cell.ts";

const file = join(import.meta.dirname, "results.json");

/** How a cell ended last, and on which day. */
export interface Result {
  readonly end: string;
  readonly wrong: readonly string[];
  /** `2026-11-28`, in UTC. */
  readonly day: string;
}

export type Results = Readonly<Record<string, Result>>;

export function readResults(): Results {
  return JSON.parse(readFileSync(file, "utf8")) as Results;
}

/** Writes these outcomes over those of the same cells. */
export function keepResults(outcomes: readonly Outcome[], now: Date): void {
  const all = { ...readResults(), ...resultsOf(outcomes, now) };
  const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => a.localeCompare(b)));
  writeFileSync(file, `${JSON.stringify(sorted, null, 2)}\n`);
}

export function resultsOf(outcomes: readonly Outcome[], now: Date): Results {
  const day = now.toISOString().slice(0, 10);
  return Object.fromEntries(outcomes.map(({ id, end, wrong }) => [id, { end, wrong, day }]));
}
