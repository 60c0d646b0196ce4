/**
 * Starts processes that cannot outlive us. Every child of the local stage (servers, builds, deploys)
 * goes through here; `leash-process.ts` says how the promise is kept.
 *
 * The leash runs in a session of its own, so a Ctrl-C in the terminal reaches us alone, and we stop
 * our children in one orderly way instead of racing them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const leashProcess = join(import.meta.dirname, "leash-process.ts");
const defaultGraceMs = 5_000;
/** How long output may trickle in after the end: a process that left the group can hold the pipe. */
const lateOutputMs = 1_000;

export interface LeashOptions {
  /** stdout and stderr are appended here. */
  readonly logFile: string;
  readonly cwd?: string;
  /** The whole environment, nothing is inherited beside it. */
  readonly env: Record<string, string>;
  /** Called with each line of stdout. Without it stdout goes straight to the log. */
  readonly onLine?: (line: string) => void;
  /** From SIGTERM to SIGKILL. @default 5000 */
  readonly graceMs?: number;
  /** Stops the process when aborted. */
  readonly signal?: AbortSignal | undefined;
}

export interface Leashed {
  /** Of the leash, which lives exactly as long as the command and its group. */
  readonly pid: number;
  /** Never rejects; 128 + n when the command was ended by signal n. */
  readonly exited: Promise<{ readonly code: number }>;
  /** SIGTERM to the group, SIGKILL after the grace period; resolves when all of it is gone. */
  stop(): Promise<void>;
}

export function startLeashed(
  command: string,
  commandArguments: readonly string[],
  options: LeashOptions,
): Leashed {
  options.signal?.throwIfAborted();
  const log = openSync(options.logFile, "a");
  const leash = spawn(
    process.execPath,
    [leashProcess, String(options.graceMs ?? defaultGraceMs), "--", command, ...commandArguments],
    {
      cwd: options.cwd,
      env: options.env,
      detached: true,
      stdio: ["pipe", options.onLine ? "pipe" : log, log],
    },
  );
  closeSync(log);
  const exited = exitOf(leash);
  if (leash.pid === undefined) throw new Error(`Could not start a leash for ${command}`);
  if (leash.stdout && options.onLine) readLines(leash.stdout, options.logFile, options.onLine);

  const stop = async () => {
    leash.stdin?.end();
    await exited;
  };
  options.signal?.addEventListener("abort", stop, { once: true });
  exited.then(() => options.signal?.removeEventListener("abort", stop));
  return { pid: leash.pid, exited, stop };
}

/**
 * Runs a command to its end. Throws with the end of its log when it fails or takes longer than
 * `timeLimitMs`.
 */
export async function runLeashed(
  command: string,
  commandArguments: readonly string[],
  options: LeashOptions & { readonly what: string; readonly timeLimitMs: number },
): Promise<void> {
  const running = startLeashed(command, commandArguments, options);
  let timedOut = false;
  const limit = setTimeout(() => {
    timedOut = true;
    void running.stop();
  }, options.timeLimitMs);
  const { code } = await running.exited;
  clearTimeout(limit);
  options.signal?.throwIfAborted();
  if (code === 0 && !timedOut) return;
  const outcome = timedOut
    ? `took longer than ${options.timeLimitMs / 1000} s`
    : `ended with ${code}`;
  throw new Error(`${options.what} ${outcome}. ${logTail(options.logFile)}`);
}

/** The end of a log, introduced by its path, for the message of an error. */
export function logTail(logFile: string, lines = 40): string {
  const text = readFileSync(logFile, "utf8").trimEnd();
  return `The end of ${logFile}:\n${text.split("\n").slice(-lines).join("\n")}`;
}

function exitOf(leash: ChildProcess): Promise<{ code: number }> {
  return new Promise((resolve) => {
    leash.once("error", () => resolve({ code: 127 }));
    leash.once("exit", () => {
      setTimeout(() => leash.stdout?.destroy(), lateOutputMs).unref();
    });
    leash.once("close", (code) => resolve({ code: code ?? 128 }));
    // The pipe may break while we close it; the exit above is what counts.
    leash.stdin?.on("error", () => {});
  });
}

function readLines(
  stdout: NodeJS.ReadableStream,
  logFile: string,
  onLine: (line: string) => void,
): void {
  createInterface({ input: stdout }).on("line", (line) => {
    appendFileSync(logFile, `${line}\n`);
    onLine(line);
  });
}
