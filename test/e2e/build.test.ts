/**
 * `sst build` of every stage that these tests do not deploy anyway, as a platform engineer runs it,
 * and what cfn-lint says of the result.
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { emulatorPython } from "../../local/aws.ts";
import { childEnvironment } from "../../local/environment.ts";
import { runLeashed } from "../../local/leash.ts";
import { checkPrerequisites } from "../../local/prerequisites.ts";
import { nodeModules, projectRoot } from "../../local/project.ts";
import { STAGE_NAMES } from "../../stages.ts";
import { stage as local } from "./harness.ts";

/** Rules of cfn-lint that are not asked, each with the reason. */
const NOT_ASKED = {
  W3005:
    "CDK names a role with its policy as a dependency, where a reference waits for the role only",
  W3010: "availability zones are named on purpose: the same deployment makes the same network",
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "containment-build-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test.each(STAGE_NAMES.filter((name) => name !== "local"))(
  "stage %s builds without a cluster, and cfn-lint has no finding",
  async (name) => {
    const to = join(folder, name);
    const logFile = join(folder, `${name}.log`);
    const timeLimitMs = 170_000;
    await runLeashed(join(nodeModules, ".bin", "sst"), ["build", "--stage", name, "--to", to], {
      what: `Building stage ${name}`,
      cwd: projectRoot,
      env: { ...childEnvironment(), ...local.environment, SST_TELEMETRY_DISABLED: "1", CI: "1" },
      ...{ logFile, timeLimitMs },
    });
    const templates = (await readdir(to)).filter((file) => file.endsWith(".template.json"));
    expect(templates.length).toBeGreaterThan(5);

    const { python } = await checkPrerequisites();
    const bin = dirname(await emulatorPython(python, console.error));
    const lintLog = join(folder, `${name}.lint`);
    const ignored = Object.keys(NOT_ASKED).flatMap((rule) => ["--ignore-checks", rule]);
    const files = templates.map((file) => join(to, file));
    // It ends with a code of its own for each level of finding, and is silent without one.
    await runLeashed(join(bin, "cfn-lint"), [...ignored, "--", ...files], {
      ...{ what: "cfn-lint", env: childEnvironment(), logFile: lintLog, timeLimitMs },
    });
    expect(await readFile(lintLog, "utf8")).toBe("");
  },
);
