/**
 * Cells of the unit layer: a state is killed before and after every call that it makes, which no
 * proxy can do to calls that never leave the process. The tests are those beside the state's code.
 */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileOf, STATES, type StateName } from "../../functions/contract.ts";
import { nodeModules, projectRoot } from "../../local/project.ts";
import type { Outcome } from "./cell.ts";

interface UnitCell {
  readonly id: string;
  readonly end: "contained";
  readonly file: string;
}

/** The states whose tests kill them at every call. */
export const UNIT_CELLS: readonly UnitCell[] = STATES.flatMap((state) => {
  const file = testOf(state);
  if (file === undefined || !readFileSync(file, "utf8").includes("killedEverywhere")) return [];
  return [{ id: `${state}/crash-at-every-call/unit`, end: "contained", file }];
});

/** Runs the state's tests; each must pass. */
export async function runUnitCell({ id, end, file }: UnitCell): Promise<Outcome> {
  const startedAt = performance.now();
  const folder = await mkdtemp(join(tmpdir(), "faults-unit-"));
  const report = join(folder, "report.json");
  const vitest = join(nodeModules, "vitest", "vitest.mjs");
  const args = [vitest, "run", "--project", "unit", "--reporter=json", `--outputFile=${report}`];
  await new Promise((resolve) => {
    execFile(process.execPath, [...args, file], { cwd: projectRoot }, resolve);
  });
  const tests = await testsIn(report);
  await rm(folder, { recursive: true });
  const failed = tests.filter(({ status }) => status !== "passed");
  const wrong = failed.map(({ fullName }) => `failed: ${fullName}`);
  if (tests.length === 0) wrong.push("no test was run");
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  const came = wrong.length === 0 ? end : "a failed test";
  return { id, expected: end, end: came, wrong, met: tests.length, seconds };
}

interface Test {
  readonly fullName: string;
  readonly status: string;
}

async function testsIn(report: string): Promise<readonly Test[]> {
  const parsed: {
    readonly testResults: readonly { readonly assertionResults: readonly Test[] }[];
  } = JSON.parse(await readFile(report, "utf8"));
  return parsed.testResults.flatMap(({ assertionResults }) => assertionResults);
}

function testOf(state: StateName): string | undefined {
  const name = `${fileOf(state)}.test.ts`;
  const core = join(projectRoot, "core");
  const files = readdirSync(core, { recursive: true, encoding: "utf8" });
  const found = files.find((file) => basename(file) === name);
  return found === undefined ? undefined : join(core, found);
}
