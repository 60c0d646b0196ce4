import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);

/** MB of heap: half of it is needed; the pods alone would take twice as much. */
const HEAP_MB = 44;

test.each([
  "SnapshotBefore",
  "PreserveNode",
  "CaptureContext",
  "PreviewCredentials",
  "SnapshotAfter",
])("%s looks at 5,000 pods and holds few of them at a time", async (state) => {
  const script = join(import.meta.dirname, "large-namespace.ts");
  const limits = [`--max-old-space-size=${HEAP_MB}`, "--max-semi-space-size=2"];

  const { stdout } = await run(process.execPath, [...limits, script, state]);

  expect(JSON.parse(stdout).artefacts).not.toEqual([]);
});
