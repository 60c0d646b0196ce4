/**
 * Builds that are made once for each state of their sources and kept under `.cache/<name>-<key>/`.
 * An entry is built in place (a virtualenv cannot be moved) and is valid only with its marker, which
 * is written last: an interrupted build leaves nothing that could be taken for a finished one.
 */
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { contentKey } from "./content-key.ts";
import { withLock } from "./lock.ts";
import { cacheFolder, type Progress } from "./project.ts";

const marker = ".complete";
/** Longer than the slowest build that was seen, on the slowest connection we care about. */
const waitLimitMs = 30 * 60_000;

export interface BuildOptions {
  /** First part of the folder's name. */
  readonly name: string;
  /** Files and folders whose content decides. */
  readonly sources: readonly string[];
  /** What decides beside them: tool versions, platform, flags. */
  readonly salts: readonly string[];
  /** For the person who waits, e.g. "about 5 minutes". */
  readonly usually: string;
  readonly progress: Progress;
  readonly signal?: AbortSignal | undefined;
  /** @default `.cache` of the project */
  readonly cache?: string;
  /** Fills the folder; `log` is kept there whether the build succeeds or fails. */
  readonly build: (entry: { readonly folder: string; readonly log: string }) => Promise<void>;
}

/** Returns the folder of the valid entry, building it first when there is none. */
export async function buildOnce(options: BuildOptions): Promise<string> {
  const { name, progress } = options;
  const key = await contentKey(options.sources, options.salts);
  const folder = join(options.cache ?? cacheFolder, `${name}-${key}`);
  if (isComplete(folder)) return folder;

  const waiting = `${name}: another start holds its lock, to build it (${options.usually}); waiting for that`;
  const lockOptions = { waiting, progress, waitLimitMs, signal: options.signal };
  return withLock(folder, lockOptions, async (assertHeld) => {
    if (isComplete(folder)) return folder;
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const log = join(folder, "build.log");
    await writeFile(log, "");
    progress(`${name}: building (${options.usually}), log in ${log}`);
    const startedAt = performance.now();
    await options.build({ folder, log });
    assertHeld();
    await writeFile(join(folder, `${marker}.new`), "");
    await rename(join(folder, `${marker}.new`), join(folder, marker));
    progress(`${name}: built in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    return folder;
  });
}

function isComplete(folder: string): boolean {
  return existsSync(join(folder, marker));
}
