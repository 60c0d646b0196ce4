/** Programs as tests run them. */
import { execFile } from "node:child_process";

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs to the end; never rejects. */
export function endOfProgram(
  command: string,
  commandArguments: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(command, commandArguments, options, (error, out, err) => {
      const failed = typeof error?.code === "number" ? error.code : 127;
      resolve({ code: error ? failed : 0, out, err });
    });
  });
}

/** What it printed. Throws when it fails. */
export async function runProgram(
  command: string,
  commandArguments: readonly string[],
): Promise<string> {
  const { code, out, err } = await endOfProgram(command, commandArguments);
  if (code !== 0) throw new Error(`${command} ${commandArguments.join(" ")}: ${code}\n${err}`);
  return out;
}
