/** Mutual exclusion between processes on one machine, for what two starts must not do at once. */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import lockfile from "proper-lockfile";
import type { Progress } from "./project.ts";

const pollMs = 250;
/** A holder that was killed stops refreshing; its lock is then taken over after this. */
const staleMs = 10_000;
const refreshMs = 2_000;

export interface LockOptions {
  /** Said once when somebody else holds the lock. */
  readonly waiting: string;
  readonly progress: Progress;
  readonly waitLimitMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `work` while holding the lock `<path>.lock`. `assertHeld` throws when the lock was lost
 * meanwhile (the machine slept, and somebody took it over): call it before making a result valid.
 */
export async function withLock<T>(
  path: string,
  options: LockOptions,
  work: (assertHeld: () => void) => Promise<T>,
): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  let lost: Error | undefined;
  const release = await acquire(path, options, (error) => {
    lost = error;
  });
  try {
    return await work(() => {
      if (lost) throw new Error(`The lock ${path}.lock was lost: start again`, { cause: lost });
    });
  } finally {
    if (!lost) await release();
  }
}

async function acquire(
  path: string,
  options: LockOptions,
  onCompromised: (error: Error) => void,
): Promise<() => Promise<void>> {
  const deadline = performance.now() + options.waitLimitMs;
  for (let first = true; ; first = false) {
    try {
      return await lockfile.lock(path, {
        realpath: false, // what the lock stands for need not exist yet
        stale: staleMs,
        update: refreshMs,
        onCompromised,
      });
    } catch (error) {
      if (!isLocked(error)) throw error;
      if (first) options.progress(options.waiting);
      if (performance.now() > deadline) {
        throw new Error(
          `${path}.lock was held for ${options.waitLimitMs / 1000} s by another start`,
        );
      }
      await delay(pollMs, undefined, { signal: options.signal });
    }
  }
}

function isLocked(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ELOCKED";
}
