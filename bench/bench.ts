/** `npm run bench`: from an event on the bus to the policy at the API server, against a no-op floor. */
import { parseArgs } from "node:util";
import { readDeployment } from "../adapters/aws/deployment.ts";
import { STATES, type StateName } from "../functions/contract.ts";
import { describeError, interrupted, listenForInterruption } from "../local/interruption.ts";
import { createNodes } from "../local/scene.ts";
import { type LocalStage, startLocalStage } from "../local/stage.ts";
import { type Bundle, measureBundle } from "./bundles.ts";
import { createFloor, FLOOR_FUNCTIONS } from "./floor.ts";
import { durationsOf } from "./reports.ts";
import { makeCold, openRange, type ProductRound } from "./rounds.ts";
import { type Summary, summarise } from "./statistics.ts";

const usage = `Usage: npm run bench [-- --rounds 20] [-- --json]

Measures on a local stage of its own, in pairs with a workflow of as many states that does nothing:
event to policy visible at the API server, warm and cold, each state's share, what the functions
take themselves, and the size and load time of every function. Nothing is asserted.

Options:
  --rounds <n>  rounds of each kind (default 20)
  --json        print one JSON document on standard output, and nothing else there
  -h, --help    show this`;

/** The functions that run before the policy is visible. */
const ON_THE_WAY: readonly StateName[] = [
  "Triage",
  "OpenCase",
  "Authenticate",
  "SnapshotBefore",
  "ApplyPolicy",
];

interface Comparison {
  readonly eventToPolicyMs: Summary;
  readonly floorMs: Summary;
  /** Median over the floor's median. */
  readonly ratio: number;
  /** Median milliseconds by state, from the execution's history. */
  readonly statesMs: Readonly<Record<string, number>>;
  /** Median milliseconds inside the functions on the way to the policy, summed. */
  readonly functionsMs: number;
}

interface Report {
  readonly rounds: number;
  readonly warm: Comparison;
  readonly cold: Comparison;
  readonly bundles: readonly Bundle[];
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) console.log(usage);
else {
  try {
    const report = await bench(Number(values.rounds));
    console.log(values.json ? JSON.stringify(report) : describe(report));
  } catch (error) {
    if (!interrupted.aborted) console.error(describeError(error));
    process.exitCode = 1;
  }
}

async function bench(rounds: number): Promise<Report> {
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds must be a whole number");
  listenForInterruption(() => console.error("\nStopping"));
  const stage = await startLocalStage({ progress: console.error, signal: interrupted });
  try {
    return await measure(stage, rounds);
  } finally {
    await stage.stop();
  }
}

async function measure(stage: LocalStage, rounds: number): Promise<Report> {
  const deployment = await readDeployment("local", stage.aws);
  const functionName = (state: string) => `local-eks-containment-${state}`;
  await createNodes(stage);
  const floorArn = await createFloor(stage.aws, deployment.busName);
  const range = await openRange(stage, deployment, 2 * rounds + 3);

  const pairs = async (before: (round: number) => Promise<void>) => {
    const product: ProductRound[] = [];
    const floor: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      await before(round);
      floor.push(await range.floor(floorArn));
      product.push(await range.product());
      console.error(
        `  round ${round + 1}/${rounds}: ${product.at(-1)?.totalMs} ms, floor ${floor.at(-1)} ms`,
      );
    }
    return { product, floor };
  };
  console.error("warming up");
  for (let round = 0; round < 3; round += 1) {
    await range.floor(floorArn);
    await range.product();
  }
  console.error("warm");
  const warm = await pairs(async () => {});
  console.error("cold");
  const everything = [...STATES.map(functionName), ...FLOOR_FUNCTIONS];
  const cold = await pairs((round) => makeCold(stage, everything, round));
  range.close();

  const durations = await Promise.all(
    ON_THE_WAY.map((state) => durationsOf(stage.aws, functionName(state))),
  );
  const inside = (kind: "warm" | "cold") =>
    durations.reduce((sum, each) => sum + summarise(each[kind]).p50, 0);
  const bundles: Bundle[] = [];
  for (const state of STATES)
    bundles.push(await measureBundle(stage.aws, functionName(state), state));
  return {
    rounds,
    warm: compare(warm, inside("warm")),
    cold: compare(cold, inside("cold")),
    bundles,
  };
}

function compare(
  { product, floor }: { product: readonly ProductRound[]; floor: readonly number[] },
  functionsMs: number,
): Comparison {
  const eventToPolicyMs = summarise(product.map(({ totalMs }) => totalMs));
  const floorMs = summarise(floor);
  const names = product[0]?.visits.map(({ name }) => name) ?? [];
  const medianOf = (name: string) =>
    summarise(
      product.flatMap(({ visits }) =>
        visits
          .filter((visit) => visit.name === name && visit.exitedAt !== null)
          .map(({ enteredAt, exitedAt }) => (exitedAt?.getTime() ?? 0) - enteredAt.getTime()),
      ),
    ).p50;
  return {
    eventToPolicyMs,
    floorMs,
    ratio: Math.round((100 * eventToPolicyMs.p50) / floorMs.p50) / 100,
    statesMs: {
      "bus and rule": summarise(product.map(({ startMs }) => startMs)).p50,
      ...Object.fromEntries(names.map((name) => [name, medianOf(name)])),
    },
    functionsMs: Math.round(10 * functionsMs) / 10,
  };
}

function describe({ rounds, warm, cold, bundles }: Report): string {
  const line = (what: string, { p50, p90, min, max }: Summary) =>
    `  ${what.padEnd(18)} p50 ${p50} ms, p90 ${p90} ms (${min}-${max})`;
  const section = (
    name: string,
    { eventToPolicyMs, floorMs, ratio, statesMs, functionsMs }: Comparison,
  ) => [
    `\n${name}, n = ${rounds}`,
    line("event to policy", eventToPolicyMs),
    line("no-op floor", floorMs),
    `  ratio of medians   ${ratio}`,
    `  in our functions   ${functionsMs} ms; the rest is the emulator's`,
    ...Object.entries(statesMs).map(([state, ms]) => `    ${state.padEnd(16)} ${ms} ms`),
  ];
  return [
    ...section("Warm", warm),
    ...section("Everything cold", cold),
    "\nFunctions (minified size, load time in a fresh process over bare Node)",
    ...bundles.map(
      ({ state, bytes, initMs }) =>
        `  ${state.padEnd(16)} ${String(Math.round(bytes / 1024)).padStart(5)} KB  p50 ${initMs.p50} ms, p90 ${initMs.p90} ms`,
    ),
  ].join("\n");
}
