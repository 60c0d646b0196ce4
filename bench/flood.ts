/** `npm run flood`: a thousand messages at once, and an account of every one. */
import { parseArgs } from "node:util";
import { readDeployment } from "../adapters/aws/deployment.ts";
import { describeError, interrupted, listenForInterruption } from "../local/interruption.ts";
import { createNodes } from "../local/scene.ts";
import { startLocalStage } from "../local/stage.ts";
import { ENDS } from "./flood-account.ts";
import { type FloodReport, flood } from "./flood-run.ts";
import { summarise } from "./statistics.ts";

const usage = `Usage: npm run flood [-- --messages 1000] [-- --targets 300] [-- --seed 1] [-- --json]

Starts a local stage of its own and sends the messages into its queue as fast as SQS takes them: every
target at least once, duplicates (the very same message, or another alert about the target), one in
twenty that cannot be read, one in fifty that must never act. Follows each to its end. On two cores a
containment takes several seconds of CPU, so the whole takes long here: about half an hour and more.

Exit code 0: every message ended as acted, audited by a brake, joined, ignored or dead letter, each
target was contained once, and each dead letter has its reason. 1: not so. 2: it could not be run.

Options:
  --messages <n>  how many (default 1000)
  --targets <n>   about how many pods (default 300)
  --seed <n>      of what is broken, doubled and mixed (default 1)
  --minutes <n>   give up waiting after so many (default 120)
  --json          print one JSON document on standard output, and nothing else there
  -h, --help      show this`;

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "1000" },
    targets: { type: "string", default: "300" },
    seed: { type: "string", default: "1" },
    minutes: { type: "string", default: "120" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) console.log(usage);
else {
  try {
    const report = await run();
    console.log(values.json ? JSON.stringify(report) : describe(report));
    process.exitCode = report.problems.length === 0 ? 0 : 1;
  } catch (error) {
    if (!interrupted.aborted) console.error(describeError(error));
    process.exitCode = 2;
  }
}

async function run(): Promise<FloodReport> {
  const number = (name: "messages" | "targets" | "seed" | "minutes") => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} is no whole number`);
    return value;
  };
  const [messages, targets, seed] = [number("messages"), number("targets"), number("seed")];
  const limitMs = number("minutes") * 60_000;
  listenForInterruption(() => console.error("\nStopping"));
  const stage = await startLocalStage({ progress: console.error, signal: interrupted });
  try {
    await createNodes(stage);
    const deployment = await readDeployment("local", stage.aws);
    return await flood(
      { ...stage, deployment },
      {
        ...{ name: "flood", messages, targets, seed, limitMs },
        ...{ progress: console.error, signal: interrupted },
      },
    );
  } finally {
    await stage.stop();
  }
}

function describe(report: FloodReport): string {
  const { sent, targets, seed, ends, deliveredTwice, problems, toContainMs } = report;
  const row = (name: string, value: string | number) => `  ${name.padEnd(24)} ${value}`;
  const total = ENDS.reduce((sum, end) => sum + ends[end], 0);
  const lines = [
    `${sent} messages about ${targets} targets, seed ${seed}`,
    row("sent in", `${report.sendingMs} ms`),
    row("ended after", `${Math.round(report.totalMs / 1_000)} s`),
    ...ENDS.map((end) => row(end, ends[end])),
    row("accounted for", `${total} of ${sent}`),
    row("delivered twice", deliveredTwice),
  ];
  if (toContainMs.length > 0) {
    const { p50, p90, max } = summarise(toContainMs);
    lines.push("", "Sent to contained, milliseconds");
    lines.push(row("all targets", `p50 ${p50}, p90 ${p90}, worst ${max}`));
    for (const [name, summary] of Object.entries(report.wherePerTarget)) {
      lines.push(row(name, `p50 ${summary.p50}, p90 ${summary.p90}, worst ${summary.max}`));
    }
  }
  if (problems.length > 0) lines.push("", `${problems.length} PROBLEMS`, ...problems);
  return lines.join("\n");
}
