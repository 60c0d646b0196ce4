import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type BuildOptions, buildOnce } from "./cache.ts";
import { waitFor } from "./wait.ts";

let folder: string;
let lines: string[];
let builds: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cache-test-"));
  await mkdir(join(folder, "sources", "nested"), { recursive: true });
  await writeFile(join(folder, "sources", "nested", "a.txt"), "a");
  lines = [];
  builds = 0;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function options(overrides: Partial<BuildOptions> = {}): BuildOptions {
  return {
    name: "thing",
    sources: [join(folder, "sources")],
    salts: ["tool 1.0"],
    usually: "a moment",
    progress: (line) => lines.push(line),
    cache: join(folder, "cache"),
    build: async (entry) => {
      builds += 1;
      await writeFile(join(entry.folder, "result"), "built");
    },
    ...overrides,
  };
}

test("unchanged sources are built once", async () => {
  const first = await buildOnce(options());
  const second = await buildOnce(options());

  expect(second).toBe(first);
  expect(builds).toBe(1);
  expect(await readFile(join(first, "result"), "utf8")).toBe("built");
});

test("a changed byte, a changed name and another tool version are built anew", async () => {
  const folders = [await buildOnce(options())];
  await writeFile(join(folder, "sources", "nested", "a.txt"), "b");
  folders.push(await buildOnce(options()));
  await writeFile(join(folder, "sources", "b.txt"), "");
  folders.push(await buildOnce(options()));
  folders.push(await buildOnce(options({ salts: ["tool 1.1"] })));

  expect(new Set(folders).size).toBe(4);
});

test("what no build reads changes nothing", async () => {
  await buildOnce(options());
  await mkdir(join(folder, "sources", "__pycache__"));
  await writeFile(join(folder, "sources", "__pycache__", "a.pyc"), "");
  await writeFile(join(folder, "sources", "README.md"), "");
  await writeFile(join(folder, "sources", "a_test.go"), "");

  await buildOnce(options());

  expect(builds).toBe(1);
});

test("of two at once one builds, and the other says that it waits", async () => {
  const build: BuildOptions["build"] = async (entry) => {
    builds += 1;
    const waiting = { what: "the second start to wait", limitMs: 5_000 };
    await waitFor(waiting, async () => lines.find((line) => line.includes("another start")));
    await writeFile(join(entry.folder, "result"), "built");
  };

  const [first, second] = await Promise.all([
    buildOnce(options({ build })),
    buildOnce(options({ build })),
  ]);

  expect(first).toBe(second);
  expect(builds).toBe(1);
});

test("a failed build leaves its log and no valid entry", async () => {
  const build: BuildOptions["build"] = async ({ log }) => {
    await writeFile(log, "the reason");
    throw new Error("broken");
  };

  await expect(buildOnce(options({ build }))).rejects.toThrow("broken");

  const [entry = ""] = await readdir(join(folder, "cache"));
  expect(await readFile(join(folder, "cache", entry, "build.log"), "utf8")).toBe("the reason");
  await buildOnce(options());
  expect(builds).toBe(1);
});

test("a start that was killed while building leaves nothing that counts as built", async () => {
  const killed = await startKilledBuild();
  const [entry = ""] = await readdir(join(folder, "cache")).then((names) =>
    names.filter((name) => !name.endsWith(".lock")),
  );
  const half = join(folder, "cache", entry, "half");
  expect(existsSync(half)).toBe(true);

  const built = await buildOnce(options());

  expect(killed.signalCode).toBe("SIGKILL");
  expect(built).toBe(join(folder, "cache", entry));
  expect(builds).toBe(1);
  expect(existsSync(half)).toBe(false);
}, 30_000);

/** Another process that begins the same build, holds its lock, and dies half way. */
async function startKilledBuild(): Promise<ChildProcess> {
  const script = join(folder, "killed.ts");
  await writeFile(
    script,
    `import { writeFileSync } from "node:fs";
     import { buildOnce } from ${JSON.stringify(join(import.meta.dirname, "cache.ts"))};
     const { name, sources, salts, usually, cache } = ${JSON.stringify(options())};
     await buildOnce({ name, sources, salts, usually, cache, progress() {}, build: async (entry) => {
       writeFileSync(entry.folder + "/half", "");
       console.log("building");
       await new Promise((resolve) => setTimeout(resolve, 300_000));
     } });`,
  );
  const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
  return child;
}
