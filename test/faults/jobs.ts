/** Everything that `npm run faults` can run, of every layer, under one shape. */
import type { StateName } from "../../functions/contract.ts";
import type { NodeGroup } from "../../local/scene.ts";
import { ALERT_CELLS, runAlertCell } from "./alerts.ts";
import { type Outcome, runCell } from "./cell.ts";
import type { Place } from "./place.ts";
import { CELLS } from "./table.ts";
import type { Undisturbed } from "./undisturbed.ts";
import { runUnitCell, UNIT_CELLS } from "./unit-layer.ts";

export interface Where {
  readonly place: Place;
  readonly undisturbed: Undisturbed;
  readonly nodeGroup: NodeGroup;
}

/** One cell of the matrix, and how it is run. */
export interface Job {
  /** The state that the fault strikes; null where it strikes none of a stage's. */
  readonly state: StateName | null;
  /** State, column and variant: `ApplyPolicy/kubernetes-503/briefly`. */
  readonly id: string;
  readonly end: string;
  /** Why the end is not the usual one. */
  readonly because: string | null;
  /** No other cell may run meanwhile. */
  readonly alone: boolean;
  readonly run: (where: Where) => Promise<Outcome>;
}

export const JOBS: readonly Job[] = [
  ...CELLS.map((cell) => ({
    ...cell,
    because: cell.mayMiss && `or without ${cell.state}: ${cell.mayMiss}`,
    run: ({ place, ...where }: Where) => runCell(cell, place, where),
  })),
  ...ALERT_CELLS.map((cell) => ({
    ...cell,
    state: null,
    alone: false,
    run: ({ place, nodeGroup }: Where) => runAlertCell(cell, place, nodeGroup),
  })),
  ...UNIT_CELLS.map((cell) => ({
    ...cell,
    because: null,
    state: null,
    alone: false,
    run: () => runUnitCell(cell),
  })),
];
