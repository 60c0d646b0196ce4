import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { emulatorPython } from "../../local/aws.ts";
import { checkPrerequisites } from "../../local/prerequisites.ts";
import { unprovidedTypes } from "../../local/unprovided-types.ts";
import { stage } from "./harness.ts";

const run = promisify(execFile);
const local = join(import.meta.dirname, "../../local");

test("the emulator's plugin passes its own checks against the running stage", async () => {
  const { python } = await checkPrerequisites();
  const cwd = join(local, "localemu");

  const { stderr } = await run(
    await emulatorPython(python, console.error),
    ["-m", "unittest", "discover"],
    { cwd, env: { ...process.env, ...stage.environment, PYTHONDONTWRITEBYTECODE: "1" } },
  );

  expect(stderr).toMatch(/Ran \d+ tests[\s\S]*OK/);
});

test("the API server's own parts pass their checks", async () => {
  const cwd = join(local, "localkube");

  const { stdout } = await run("go", ["test", "-trimpath", "./eksauth", "./fakekubelet"], { cwd });

  expect(stdout).toMatch(/^ok\s+localkube\/eksauth/m);
  expect(stdout).toMatch(/^ok\s+localkube\/fakekubelet/m);
}, 600_000);

test("the emulated AWS ignored no resource of the app", async () => {
  expect(await unprovidedTypes(stage.awsLog)).toEqual([]);
});
