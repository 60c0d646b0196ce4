/** What a machine must have before the local stage can start, and where it is. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
/** A pyenv shim that has to search its versions is slow, but not this slow. */
const versionLimitMs = 15_000;

/** A Go toolchain and what it says of itself. */
export interface GoToolchain {
  /** Path of `go`. */
  readonly go: string;
  readonly goVersion: string;
}

/** A Go toolchain, or a binary that makes it unnecessary. */
export type Localkube =
  | ({ readonly kind: "build" } & GoToolchain)
  | { readonly kind: "binary"; readonly path: string };

export interface Prerequisites {
  readonly node: string;
  readonly python: { readonly path: string; readonly version: string };
  readonly localkube: Localkube;
}

/**
 * Finds Node, Python and Go by running them: a name on the PATH proves nothing (pyenv puts shims
 * there that fail when their version is not active). Throws one error that names everything missing.
 */
export async function checkPrerequisites(
  environment: NodeJS.ProcessEnv = process.env,
  nodeVersion: string = process.versions.node,
): Promise<Prerequisites> {
  const missing: string[] = [];
  if (!atLeast(nodeVersion, [24])) {
    missing.push(
      `Node 24 or newer: this is ${nodeVersion}. Run \`npm ci\` (it installs the pinned Node) and start through npm, e.g. \`npm run local\`.`,
    );
  }
  const [python, localkube] = await Promise.all([findPython(environment), findGo(environment)]);
  if (!python) {
    missing.push(
      "Python 3.12 or 3.13 (for the emulated AWS): looked for python3.13, python3.12 and python3 on the PATH and among pyenv's versions. Install one, e.g. `pyenv install 3.13`, `apt install python3.12-venv` or `brew install python@3.13`.",
    );
  }
  if (typeof localkube === "string") missing.push(localkube);
  if (missing.length > 0 || !python || typeof localkube === "string") {
    throw new Error(`The local stage needs:\n${missing.map((line) => `  - ${line}`).join("\n")}`);
  }
  return { node: process.execPath, python, localkube };
}

async function findPython(
  environment: NodeJS.ProcessEnv,
): Promise<Prerequisites["python"] | undefined> {
  for (const candidate of pythonCandidates(environment)) {
    const version = await versionOf(candidate, ["--version"], environment);
    if (version && isSupportedPython(version)) return { path: candidate, version };
  }
  return undefined;
}

/** The requirements of the emulator are pinned with their hashes, for the wheels of these two. */
function isSupportedPython(version: string): boolean {
  return atLeast(version, [3, 12]) && !atLeast(version, [3, 14]);
}

function pythonCandidates(environment: NodeJS.ProcessEnv): string[] {
  const names = ["python3.13", "python3.12", "python3"];
  const onPath = names.flatMap((name) => executables(name, environment));
  const root = environment.PYENV_ROOT ?? join(environment.HOME ?? homedir(), ".pyenv");
  const versions = join(root, "versions");
  const installed = existsSync(versions) ? readdirSync(versions) : [];
  const ofPyenv = installed
    .sort((a, b) => b.localeCompare(a, "en", { numeric: true }))
    .map((version) => join(versions, version, "bin", "python3"))
    .filter(existsSync);
  return [...onPath, ...ofPyenv];
}

/** The toolchain or binary, or the sentence that says what is missing. */
async function findGo(environment: NodeJS.ProcessEnv): Promise<Localkube | string> {
  const binary = environment.LOCALKUBE_BIN;
  if (binary) {
    if (existsSync(binary)) return { kind: "binary", path: binary };
    return `The binary that LOCALKUBE_BIN names: ${binary} does not exist. Correct it, or unset it to build from source.`;
  }
  const toolchain = await findGoToolchain(environment);
  if (toolchain) return { kind: "build", ...toolchain };
  return "Go 1.25 or newer (for the API server): looked for `go` on the PATH. Install it from https://go.dev/dl/, or let LOCALKUBE_BIN name a ready localkube binary.";
}

/** The first `go` on the PATH that is new enough for everything here that is built with it. */
export async function findGoToolchain(
  environment: NodeJS.ProcessEnv = process.env,
): Promise<GoToolchain | undefined> {
  for (const go of executables("go", environment)) {
    const goVersion = await versionOf(go, ["version"], environment);
    if (goVersion && atLeast(goVersion, [1, 25])) return { go, goVersion };
  }
  return undefined;
}

function executables(name: string, environment: NodeJS.ProcessEnv): string[] {
  return (environment.PATH ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .filter(existsSync);
}

async function versionOf(
  command: string,
  commandArguments: string[],
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  try {
    const { stdout } = await run(command, commandArguments, { timeout: versionLimitMs, env });
    return /\d+\.\d+(\.\d+)?/.exec(stdout)?.[0];
  } catch {
    // A candidate that cannot say its version is no candidate: the next one is tried.
    return undefined;
  }
}

function atLeast(version: string, wanted: readonly number[]): boolean {
  const found = version.split(".").map(Number);
  for (const [place, number] of wanted.entries()) {
    const difference = (found[place] ?? 0) - number;
    if (difference !== 0) return difference > 0;
  }
  return true;
}
