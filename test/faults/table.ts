/**
 * The fault matrix: every state that asks anything of anybody, times everything that can go wrong
 * there. Which columns a state has is derived from what it declares that it needs, and its expected
 * end from the kind of the fault and from whether the playbook catches the state.
 */
import type { StateName } from "../../functions/contract.ts";
import { COLUMNS, type FaultKind } from "./faults.ts";
import type { Fault, Seen } from "./laid-faults.ts";
import {
  isCaught,
  type Playbook,
  playbookOf,
  STATES_THAT_ASK,
  servicesOf,
  writes,
  writesToCluster,
} from "./playbook.ts";

/** What is true once a playbook has done what it is for. */
const DONE = {
  contain: "contained",
  reverify: "contained",
  drain: "drained",
  "record-failure": "told",
} as const satisfies Readonly<Record<Playbook, string>>;
type Done = (typeof DONE)[Playbook] | "refused";

/** How a cell may end; anything else is a defect. */
export type End =
  | Done
  | `${Done}, ${StateName} missing`
  | `failed, then ${Done} by redrive`
  | "contained by the next look";

/**
 * - `briefly`: the fault meets two requests, or kills once, and is gone.
 * - `lasting`: until the cause is removed, just before the redrive.
 * - `from-the-first-write`: reads go through; the first write fails and all that follows, as lasting.
 * - `at-the-first-write`: only that one.
 */
export type Variant = "briefly" | "lasting" | "from-the-first-write" | "at-the-first-write";

export interface Cell {
  /** `ApplyPolicy/kubernetes-503/briefly` */
  readonly id: string;
  readonly state: StateName;
  readonly column: string;
  readonly variant: Variant;
  readonly end: End;
  /** Why the state may be missing as well; null: it may not. */
  readonly mayMiss: string | null;
  /** The cell must be alone on the stage: its fault knows no execution, or its run every case. */
  readonly alone: boolean;
  /** What lies in wait, but for whom. `undisturbed` is what the state asked for without a fault. */
  readonly fault: (undisturbed: readonly Seen[]) => Omit<Fault, "execution" | "state">;
}

const BRIEFLY = 2;

/** States whose sources nobody reads again. */
const READ_ONCE: readonly StateName[] = ["CaptureContext", "PreviewCredentials"];

/** All cells that run on the stage, state by state. */
export const CELLS: readonly Cell[] = STATES_THAT_ASK.flatMap((state) => [
  ...serviceCells(state),
  ...crashCells(state),
]);

function serviceCells(state: StateName): readonly Cell[] {
  const services = servicesOf(state);
  return COLUMNS.filter(({ service }) => services.has(service)).flatMap(
    ({ name, kind, service, does }) => {
      const lasting = { service, times: null, does };
      const cells = [
        cell({ state, column: name, variant: "lasting", kind }, () => ({
          ...lasting,
          begins: "request",
        })),
      ];
      if (kind === "transient") {
        cells.unshift(
          cell({ state, column: name, variant: "briefly", kind }, () => ({
            ...{ service, begins: "request", times: BRIEFLY, does },
          })),
        );
      }
      if (service === "kubernetes" && writesToCluster(state)) {
        const [variant, times] =
          kind === "untrue"
            ? (["at-the-first-write", 1] as const)
            : (["from-the-first-write", null] as const);
        cells.push(
          cell({ state, column: name, variant, kind }, () => ({
            ...{ service, begins: "write", times, does },
          })),
        );
      }
      return cells;
    },
  );
}

/**
 * Killed at its first write, in the middle of its writes, after its last one; or again and again. Where
 * a state only reads, at its first request.
 */
function crashCells(state: StateName): readonly Cell[] {
  const begins = writes(state) ? "write" : "request";
  const kill = (when: "before" | "after", times: number | null) =>
    ({ service: "any", times, does: { kind: "kill", when } }) as const;
  const crash = (
    column: string,
    variant: Variant,
    fault: Cell["fault"],
    kind: FaultKind = "transient",
  ) => cell({ state, column, variant, kind }, fault);
  return [
    crash("crash-before", "briefly", () => ({ ...kill("before", 1), begins })),
    crash("crash-before", "lasting", () => ({ ...kill("before", null), begins })),
    ...(writes(state)
      ? [
          crash("crash-between", "briefly", (seen) => ({
            ...kill("after", 1),
            begins: writeAt(seen, (last) => Math.floor(last / 2)),
          })),
          crash("crash-after", "briefly", (seen) => ({
            ...kill("after", 1),
            begins: writeAt(seen, (last) => last),
          })),
        ]
      : []),
    ...(servicesOf(state).has("kubernetes")
      ? [
          crash("out-of-memory", "briefly", () => ({
            ...{ service: "kubernetes", begins: "request", times: 1, does: { kind: "starve" } },
          })),
        ]
      : []),
  ];
}

/** One of the writes that a state makes without a fault, by the index of the last one. */
function writeAt(seen: readonly Seen[], choose: (last: number) => number) {
  const labels = seen.filter(({ write }) => write).map(({ label }) => label);
  const at = choose(labels.length - 1);
  const label = labels[at] ?? "";
  return { label, nth: labels.slice(0, at + 1).filter((each) => each === label).length };
}

function cell(
  {
    state,
    column,
    variant,
    kind,
  }: Pick<Cell, "state" | "column" | "variant"> & { readonly kind: FaultKind },
  fault: Cell["fault"],
): Cell {
  const id = `${state}/${column}/${variant}`;
  const heals = variant === "at-the-first-write" || (variant === "briefly" && kind === "transient");
  return {
    ...{ id, state, column, variant, fault },
    end: heals ? doneBy(state) : lasted(state),
    mayMiss: heals ? mayMiss(state, column) : null,
    alone: column.startsWith("sts-") || state === "ListOpenCases",
  };
}

/** Evidence that has a time of its own, which even a fault that heals may use up. */
function mayMiss(state: StateName, column: string): string | null {
  if (state === "SnapshotBefore") return "containment waits five seconds for it, and no longer";
  if (READ_ONCE.includes(state) && column === "kubernetes-slow") {
    return "a request that was given up after five seconds is not made again";
  }
  return null;
}

/** What a run without a fault comes to. */
export function doneBy(state: StateName): Done {
  return state === "RecordIgnored" ? "refused" : DONE[playbookOf(state)];
}

/** The end of a run that went on without the state. */
export function missing(state: StateName): End {
  return `${doneBy(state)}, ${state} missing`;
}

function lasted(state: StateName): End {
  if (!isCaught(state)) return `failed, then ${doneBy(state)} by redrive`;
  // A look is not repeated by a redrive: the schedule looks again, and again.
  return playbookOf(state) === "reverify" ? "contained by the next look" : missing(state);
}
