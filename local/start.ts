/** `npm start`: the main job on this machine, from a Falco message to sealed evidence. */
import { parseArgs } from "node:util";
import { describeError, interrupted, interruption, listenForInterruption } from "./interruption.ts";
import { runMainJob } from "./main-job.ts";
import type { Progress } from "./project.ts";
import { type LocalStage, startLocalStage } from "./stage.ts";

const usage = `Usage: npm start [-- --once] [-- --json]

Starts a real Kubernetes API server and an emulated AWS on this machine, deploys the app to them
with an unmodified \`sst deploy\`, fills the cluster with a small shop, and sends one Falco alert
about a shell in the checkout pod into the queue. Then only the product acts. Shows the run state by
state, the verdict, the time to contain and where it went, what was changed, and the evidence.
Stays up until Ctrl-C.

Options:
  --once      end after the run; exit code 0 only when it ended contained
  --json      print one JSON document on standard output, and nothing else there; npm prints the
              script's name before it unless called with --silent
  -h, --help  show this`;

try {
  const { values } = parseArgs({
    options: {
      once: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) console.log(usage);
  else await start(values);
} catch (error) {
  if (!interrupted.aborted) console.error(describeError(error));
  process.exitCode = interrupted.aborted ? 130 : 1;
}

async function start({ once, json }: { once: boolean; json: boolean }): Promise<void> {
  const say: Progress = json ? console.error : console.log;
  listenForInterruption(() => say("\nStopping; this takes a few seconds"));
  const stage = await startLocalStage({ progress: say, announce: !once, signal: interrupted });
  try {
    const outcome = await Promise.race([
      runMainJob(stage, say),
      failWhenBroken(stage),
      interruption,
    ]);
    if (outcome === undefined) {
      process.exitCode = 130;
      return;
    }
    if (json) console.log(JSON.stringify(outcome));
    process.exitCode = outcome.verdict === "contained" ? 0 : 1;
    if (once) return;
    say("\nThe stage stays up. In another terminal: npx containment runs. Ctrl-C stops it.");
    await Promise.race([failWhenBroken(stage), interruption]);
  } finally {
    await stage.stop();
  }
}

async function failWhenBroken(stage: LocalStage): Promise<never> {
  throw new Error(`${await stage.broken}; the stage is of no use any more`);
}
