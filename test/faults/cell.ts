/** Runs one cell of the matrix on a stage and says how it ended. */
import { randomUUID } from "node:crypto";
import type { ExecutionReport } from "../../adapters/aws/executions.ts";
import type { NodeGroup } from "../../local/scene.ts";
import { RETRY_AFTER_SECONDS } from "./faults.ts";
import type { Seen } from "./laid-faults.ts";
import { type Look, lookAt, type Place } from "./place.ts";
import { playbookOf } from "./playbook.ts";
import { closeShop } from "./shops.ts";
import { type Cell, missing } from "./table.ts";
import { trialOf } from "./trials/index.ts";
import { judged } from "./trials/trial.ts";
import type { Undisturbed } from "./undisturbed.ts";

export interface Outcome {
  readonly id: string;
  readonly expected: string;
  readonly end: string;
  /** What is not as it must be; none: the cell is as the table says. */
  readonly wrong: readonly string[];
  /** Requests that the fault met. */
  readonly met: number;
  /** The run had no time for SnapshotBefore, to which nothing was done: too much ran beside it. */
  readonly crowded?: boolean;
  readonly seconds: number;
}

/** One cell in a shop of its own, on nodes of its own. */
export async function runCell(
  cell: Cell,
  place: Place,
  { undisturbed, nodeGroup }: { readonly undisturbed: Undisturbed; readonly nodeGroup: NodeGroup },
): Promise<Outcome> {
  const startedAt = performance.now();
  const look = lookAt(place);
  const { event } = undisturbed;
  const trial = await trialOf(cell.state, { place, look, nodeGroup, event }, undisturbed);
  const name = `${cell.id.replaceAll(/[^A-Za-z0-9]+/g, "-")}-${randomUUID().slice(0, 8)}`.slice(
    -80,
  );
  const execution = cell.column.startsWith("sts-") ? null : name;
  const fault = await place.faults.lay({
    ...cell.fault(undisturbed.seen(cell.state)),
    execution,
    state: cell.state,
  });
  if (execution === null) await place.faults.endProcessesOf(`local-eks-containment-${cell.state}`);
  const arn = await look.start(playbookOf(cell.state), name, trial.input);

  const first = await look.end(arn);
  const healedAt = Date.now();
  const met = await fault.heal();
  const last = first.status === "SUCCEEDED" ? first : await redriven(arn, look);
  // A redrive is a person's, who need not wait.
  const seen = (await place.faults.seen(name)).filter(({ at }) => at < healedAt);
  const { end, wrong } = await judged(trial, first, last);
  await closeShop(trial.shop, place);
  return {
    id: cell.id,
    expected: cell.end,
    end,
    wrong: [
      ...(isRight(end, cell) ? [] : [`ended ${end}, not ${cell.end}`]),
      ...(met === 0 ? ["the fault met no request"] : []),
      ...(cell.column === "kubernetes-429" ? impatience(seen) : []),
      ...wrong,
    ],
    met,
    crowded: cell.state !== "SnapshotBefore" && end.includes("SnapshotBefore"),
    seconds: Math.round((performance.now() - startedAt) / 1_000),
  };
}

function isRight(end: string, { state, end: usual, mayMiss }: Cell): boolean {
  return end === usual || (mayMiss !== null && end === missing(state));
}

async function redriven(arn: string, look: Look): Promise<ExecutionReport> {
  await look.runs.redrive(arn);
  return look.end(arn);
}

/** Timers are a little early, and clocks are read in whole milliseconds. */
const TIMERS_MS = 20;

/** The API server said how long it wants to be left alone. */
function impatience(seen: readonly Seen[]): readonly string[] {
  const met = seen.filter(({ service, met }) => service === "kubernetes" && met);
  return met
    .flatMap(({ at, state }) => {
      const next = seen.find(
        (each) => each.state === state && each.service === "kubernetes" && each.at > at + 500,
      );
      // The requests of one moment were on their way already when it answered.
      if (!next || next.at - at >= RETRY_AFTER_SECONDS * 1_000 - TIMERS_MS) return [];
      return [`asked again after ${next.at - at} ms, not ${RETRY_AFTER_SECONDS} s`];
    })
    .slice(0, 1);
}
