import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runLeashed, startLeashed } from "./leash.ts";
import { isGroupAlive } from "./process-group.ts";
import { waitFor } from "./wait.ts";

const env = { PATH: process.env.PATH ?? "" };
let folder: string;
let logFile: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "leash-test-"));
  logFile = join(folder, "log");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A shell, leader of its group, with a child in it; prints the group. */
const family = ["-c", "sleep 300 & echo $$; wait"];
/** The same, deaf to SIGTERM. */
const stubbornFamily = ["-c", "trap '' TERM; sleep 300 & echo $$; wait; wait"];

test("killing the parent with SIGKILL leaves no process of the group behind", async () => {
  const script = join(folder, "parent.ts");
  await writeFile(
    script,
    `import { startLeashed } from ${JSON.stringify(join(import.meta.dirname, "leash.ts"))};
     const leashed = startLeashed("sh", ${JSON.stringify(family)}, {
       logFile: ${JSON.stringify(logFile)},
       env: { PATH: process.env.PATH },
       onLine: (line) => console.log(leashed.pid + " " + line),
     });`,
  );
  const parent = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
  const [leash = 0, group = 0] = await new Promise<number[]>((resolve) => {
    parent.stdout.once("data", (line) => resolve(String(line).trim().split(" ").map(Number)));
  });
  expect(isGroupAlive(leash) && isGroupAlive(group)).toBe(true);

  parent.kill("SIGKILL");

  const waiting = { what: "the leash and the group to end", limitMs: 10_000 };
  await waitFor(waiting, async () =>
    isGroupAlive(leash) || isGroupAlive(group) ? undefined : true,
  );
});

test("stop ends a group that ignores SIGTERM once the grace period is over", async () => {
  const group = await new Promise<number>((resolve) => {
    const leashed = startLeashed("sh", stubbornFamily, {
      logFile,
      env,
      graceMs: 200,
      onLine: async (line) => {
        const group = Number(line);
        expect(isGroupAlive(group)).toBe(true);
        await leashed.stop();
        resolve(group);
      },
    });
  });

  expect(isGroupAlive(group)).toBe(false);
});

test("what a command leaves running in its group ends with it, and its exit code is kept", async () => {
  let group = 0;
  const leashed = startLeashed("sh", ["-c", "sleep 300 & echo $$; exit 7"], {
    logFile,
    env,
    onLine: (line) => {
      group = Number(line);
    },
  });

  const { code } = await leashed.exited;

  expect(code).toBe(7);
  expect(group).toBeGreaterThan(0);
  expect(isGroupAlive(group)).toBe(false);
});

test("aborting the signal stops the process", async () => {
  const abort = new AbortController();
  const options = { logFile, env, signal: abort.signal };
  const leashed = startLeashed("sh", ["-c", "exec sleep 300"], options);

  abort.abort();

  expect((await leashed.exited).code).not.toBe(0);
});

test("a failing command is reported with the end of its log", async () => {
  const options = { what: "The test", timeLimitMs: 10_000, logFile, env };

  const outcome = runLeashed("sh", ["-c", "echo out; echo err >&2; exit 3"], options);

  await expect(outcome).rejects.toThrow(/^The test ended with 3\.[\s\S]*out\nerr$/);
});

test("a command that takes too long is stopped and reported", async () => {
  const options = { what: "The test", timeLimitMs: 300, logFile, env };

  const outcome = runLeashed("sleep", ["300"], options);

  await expect(outcome).rejects.toThrow("The test took longer than 0.3 s");
});

test("a command that does not exist is reported as such", async () => {
  const options = { what: "The test", timeLimitMs: 10_000, logFile, env };

  await expect(runLeashed("no-such-command", [], options)).rejects.toThrow("ended with 127");
  expect(await readFile(logFile, "utf8")).toContain("Could not start no-such-command");
});
