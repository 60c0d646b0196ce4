/** `npm run faults`: the fault matrix on a local stage of its own. */
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { readDeployment } from "../../adapters/aws/deployment.ts";
import { describeError, interrupted, listenForInterruption } from "../../local/interruption.ts";
import { createNodes } from "../../local/scene.ts";
import { type LocalStage, startLocalStage } from "../../local/stage.ts";
import type { Outcome } from "./cell.ts";
import { faultsAt } from "./control.ts";
import { JOBS, type Job } from "./jobs.ts";
import { nodesOfLane, type Place } from "./place.ts";
import { startProxies } from "./proxies.ts";
import { matrix, page } from "./report.ts";
import { keepResults, readResults, resultsOf } from "./results.ts";
import { runUndisturbed, type Undisturbed } from "./undisturbed.ts";

const document = join(import.meta.dirname, "../../docs/faults.md");

const usage = `Usage: npm run faults -- [options]

Runs the fault matrix on a local stage of its own. Exits with 1 when a cell ends otherwise than the
table says.

Options:
      --only TEXT   cells whose id begins with it, * for any part: ApplyPolicy, */s3-503,
                    ApplyPolicy/kubernetes-503/lasting; may be given several times
      --left        of these cells those that test/faults/results.json has no good end of
      --list        print the cells and their expected ends, and run none
      --write       keep the ends in test/faults/results.json and write docs/faults.md anew
      --lanes N     cells that run side by side (default 4)
  -h, --help        show this`;

listenForInterruption(() => console.log("\nStopping; this takes a few seconds"));

try {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true, default: [] },
      write: { type: "boolean", default: false },
      left: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      lanes: { type: "string", default: "4" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const { only } = values;
  const chosen = only.map((beginning) => new RegExp(`^${beginning.replaceAll("*", "[^/]+")}`));
  const ends = values.left ? readResults() : {};
  const asked = JOBS.filter(
    ({ id }) => chosen.length === 0 || chosen.some((each) => each.test(id)),
  );
  if (asked.length === 0) throw new Error(`no cell begins with ${only.join(" or ")}`);
  const cells = asked.filter(({ id }) => ends[id]?.wrong.length !== 0);
  if (values.help) console.log(usage);
  else if (values.list) for (const { id, end } of cells) console.log(`${id}: ${end}`);
  else if (cells.length === 0) console.log("none is left");
  else process.exitCode = await runAll(cells, Number(values.lanes), values.write);
} catch (error) {
  if (!interrupted.aborted) console.error(describeError(error));
  process.exitCode = interrupted.aborted ? 130 : 1;
}

async function runAll(cells: readonly Job[], lanes: number, write: boolean): Promise<number> {
  const proxies = await startProxies();
  let stage: LocalStage | undefined;
  try {
    stage = await startLocalStage({
      ...{ progress: console.error, signal: interrupted, between: proxies.between },
    });
    const kubernetes = stage.kubernetes.getCurrentCluster()?.server ?? "";
    proxies.leadTo({ aws: stage.awsEndpoint, kubernetes, pki: dirname(stage.caFile) });
    const place: Place = {
      ...{ aws: stage.aws, kubernetes: stage.kubernetes },
      deployment: await readDeployment("local", stage.aws),
      faults: faultsAt(proxies.controlUrl),
    };
    const groups = Array.from({ length: lanes }, (_, lane) => nodesOfLane(lane));
    for (const group of groups) await createNodes(stage, group);
    console.error("without a fault, for comparison");
    const states = cells.flatMap(({ state }) => state ?? []);
    const undisturbed = await runUndisturbed(place, nodesOfLane(0), states);
    const outcomes = await inLanes(cells, lanes, async (cell, lane) => {
      const outcome = await runOne(cell, lane, place, undisturbed);
      if (write) keepResults([outcome], new Date());
      return outcome;
    });
    if (write) await writeFile(document, page(JOBS, readResults()));
    console.log(`\n${matrix(cells, resultsOf(outcomes, new Date()))}\n`);
    const wrong = outcomes.filter((outcome) => outcome.wrong.length > 0);
    console.log(`${outcomes.length - wrong.length} passed, ${wrong.length} failed`);
    return wrong.length === 0 ? 0 : 1;
  } finally {
    proxies.close();
    await stage?.stop();
  }
}

async function runOne(cell: Job, lane: number, place: Place, undisturbed: Undisturbed) {
  const startedAt = performance.now();
  try {
    return await cell.run({ place, undisturbed, nodeGroup: nodesOfLane(lane) });
  } catch (error) {
    interrupted.throwIfAborted();
    const seconds = Math.round((performance.now() - startedAt) / 1_000);
    const wrong = [describeError(error)];
    return { id: cell.id, expected: cell.end, end: "no end", wrong, met: 0, seconds };
  }
}

/**
 * Several at once. One by one afterwards those that must be alone, and once more those that had too
 * little of the machine: containment waits five seconds for SnapshotBefore and no longer.
 */
async function inLanes(
  cells: readonly Job[],
  lanes: number,
  run: (cell: Job, lane: number) => Promise<Outcome>,
): Promise<readonly Outcome[]> {
  const outcomes = new Map<string, Outcome>();
  const startedAt = performance.now();
  const work = async (queue: Job[], lane: number) => {
    for (let cell = queue.shift(); cell; cell = queue.shift()) {
      interrupted.throwIfAborted();
      const outcome = await run(cell, lane);
      outcomes.set(cell.id, outcome);
      const perCell = (performance.now() - startedAt) / outcomes.size;
      const left = Math.round(((cells.length - outcomes.size) * perCell) / 60_000);
      console.log(`[${outcomes.size}/${cells.length}, ${left} min left] ${lineOf(outcome)}`);
    }
  };
  const together = cells.filter(({ alone }) => !alone);
  await Promise.all(Array.from({ length: lanes }, (_, lane) => work(together, lane)));
  await work(
    cells.filter(({ id, alone }) => alone || outcomes.get(id)?.crowded),
    0,
  );
  return [...outcomes.values()];
}

function lineOf({ id, end, wrong, met, seconds }: Outcome): string {
  const verdict = wrong.length === 0 ? "ok   " : "WRONG";
  return [`${verdict} ${id}: ${end} (${met} met, ${seconds} s)`, ...wrong].join("\n        ");
}
