/** `npm run packets`: the tests in test/packets, with real packets on a network of their own. */
import { join } from "node:path";
import { describeError, interrupted, listenForInterruption } from "../interruption.ts";
import { localkubeBinary } from "../kubernetes.ts";
import { nodeModules } from "../project.ts";
import { runEnclosed } from "./enclosure.ts";
import { policyControllerBinary } from "./policy-controller.ts";
import { findTools } from "./prerequisites.ts";

const vitest = [process.execPath, join(nodeModules, "vitest", "vitest.mjs")];

listenForInterruption(() => console.error("\nStopping"));
try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  if (!interrupted.aborted) console.error(describeError(error));
  process.exitCode = interrupted.aborted ? 130 : 1;
}

/** Returns an exit code. A machine that cannot do it has not failed a test. */
async function run(vitestArguments: readonly string[]): Promise<number> {
  const tools = await findTools();
  if (typeof tools === "string") {
    console.log(`packets: skipped: ${tools}`);
    return 0;
  }
  const say = console.error;
  const binaries = {
    localkube: await localkubeBinary(tools.localkube, say, interrupted),
    policyController: await policyControllerBinary(tools, say, interrupted),
  };
  const command = [...vitest, "run", "--project", "packets", ...vitestArguments];
  return runEnclosed(binaries, command, interrupted);
}
