/** `npm run local`: a stage with something to protect in it, up until Ctrl-C. */
import { parseArgs } from "node:util";
import { describeError, interrupted, interruption, listenForInterruption } from "./interruption.ts";
import { createNodes, createShop } from "./scene.ts";
import { type LocalStage, startLocalStage } from "./stage.ts";

const usage = `Usage: npm run local

Starts a real Kubernetes API server and an emulated AWS on this machine, deploys the app to them
with an unmodified \`sst deploy\`, adds two nodes and a small shop in the namespace "payments", and
stays up until Ctrl-C. It needs no cloud account and no container engine, and touches neither
your AWS profiles nor your kubeconfig.

The first start builds what it needs, which takes several minutes; later ones take about half a
minute. Set LOCALKUBE_BIN to the path of a ready localkube binary to do without Go.

Options:
  -h, --help  show this`;

listenForInterruption(() => console.log("\nStopping; this takes a few seconds"));

try {
  const { values } = parseArgs({ options: { help: { type: "boolean", short: "h" } } });
  if (values.help) console.log(usage);
  else await serve();
} catch (error) {
  if (!interrupted.aborted) console.error(describeError(error));
  process.exitCode = interrupted.aborted ? 130 : 1;
}

async function serve(): Promise<void> {
  const startedAt = performance.now();
  const stage = await startLocalStage({
    progress: console.log,
    announce: true,
    signal: interrupted,
  });
  try {
    await createNodes(stage);
    const shop = await createShop(stage);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
    console.log(whereThingsAre(stage, shop.namespace, seconds));
    const ended = await Promise.race([stage.broken, interruption]);
    if (ended !== undefined) throw new Error(`${ended}; the stage is of no use any more`);
  } finally {
    await stage.stop();
  }
  console.log("Stopped");
}

function whereThingsAre(stage: LocalStage, namespace: string, seconds: string): string {
  const variables = Object.entries(stage.environment).map(([name, value]) => `${name}=${value}`);
  return `
The local stage is up after ${seconds} s (${Object.entries(stage.timings)
    .map(([step, ms]) => `${step} ${(ms / 1000).toFixed(1)} s`)
    .join(", ")}).

  AWS endpoint   ${stage.awsEndpoint} (${stage.region})
  kubeconfig     ${stage.kubeconfig}
  a shop         namespace ${namespace}: checkout, frontend, database
  logs           ${Object.values(stage.logFiles).join("\n                 ")}

Use it from another terminal:

  export ${variables.join(" ")} KUBECONFIG=${stage.kubeconfig}

Ctrl-C stops it and removes everything but the caches.`;
}
