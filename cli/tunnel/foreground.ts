import { spawn } from "node:child_process";
import { constants } from "node:os";

/**
 * Runs a command as if the person had typed it: with this terminal, to its end. Resolves with its
 * exit code, 128 + n when signal n ended it, or with a sentence when `broken` said one first and
 * the command was ended for it.
 */
export async function runInForeground(
  [name = "", ...rest]: readonly string[],
  env: NodeJS.ProcessEnv,
  broken: Promise<string>,
): Promise<number | string> {
  const child = spawn(name, rest, { env, stdio: "inherit" });
  // A Ctrl-C in the terminal reaches the command as it reaches us: what it means is the command's to say.
  const leave = () => {};
  const pass = (signal: NodeJS.Signals) => child.kill(signal);
  process.on("SIGINT", leave).on("SIGTERM", pass).on("SIGHUP", pass);
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", (cause) => {
      reject(new Error(`could not run ${name}: ${cause.message}`, { cause }));
    });
    child.once("exit", (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
  try {
    const outcome = await Promise.race([ended, broken]);
    if (typeof outcome === "string") {
      child.kill();
      await ended;
    }
    return outcome;
  } finally {
    process.off("SIGINT", leave).off("SIGTERM", pass).off("SIGHUP", pass);
  }
}
