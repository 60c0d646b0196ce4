import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkPrerequisites } from "./prerequisites.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "prerequisites-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const environment = (more: Record<string, string> = {}) => ({
  PATH: join(folder, "bin"),
  HOME: folder,
  ...more,
});

async function install(path: string, script: string): Promise<string> {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return file;
}

test("everything missing is named in one message, with how to get it", async () => {
  const outcome = checkPrerequisites(environment(), "20.20.2");

  await expect(outcome).rejects.toThrow(
    /Node 24 or newer: this is 20\.20\.2.*npm ci[\s\S]*Python 3\.12 or 3\.13[\s\S]*Go 1\.25 or newer[\s\S]*LOCALKUBE_BIN/,
  );
});

test("versions that are too old count as missing", async () => {
  await install("bin/python3", "echo Python 3.11.7");
  await install("bin/go", "echo go version go1.24.9 linux/amd64");

  const outcome = checkPrerequisites(environment(), "24.0.0");

  await expect(outcome).rejects.toThrow(/Python 3\.12[\s\S]*Go 1\.25/);
});

test("a pyenv shim that fails is passed over for the version that pyenv has", async () => {
  await install("bin/python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127");
  const python = await install(".pyenv/versions/3.13.0/bin/python3", "echo Python 3.13.0");
  await install(".pyenv/versions/3.14.1/bin/python3", "echo Python 3.14.1");
  await install(".pyenv/versions/3.9.18/bin/python3", "echo Python 3.9.18");
  const go = await install("bin/go", "echo go version go1.26.8 linux/amd64");

  const found = await checkPrerequisites(environment(), "24.21.0");

  expect(found.python).toEqual({ path: python, version: "3.13.0" });
  expect(found.localkube).toEqual({ kind: "build", go, goVersion: "1.26.8" });
});

test("a named localkube binary makes Go unnecessary, if it exists", async () => {
  await install("bin/python3.12", "echo Python 3.12.1");
  const path = await install("localkube", "");

  const found = await checkPrerequisites(environment({ LOCALKUBE_BIN: path }), "24.21.0");
  const absent = checkPrerequisites(environment({ LOCALKUBE_BIN: `${path}-2` }), "24.21.0");

  expect(found.localkube).toEqual({ kind: "binary", path });
  await expect(absent).rejects.toThrow("LOCALKUBE_BIN");
});
