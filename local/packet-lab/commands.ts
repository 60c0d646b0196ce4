/** System commands of the lab: ip, iptables, ipset, conntrack. */
import { execFile } from "node:child_process";
import { delimiter } from "node:path";
import { promisify } from "node:util";
import { childEnvironment } from "../environment.ts";

const run = promisify(execFile);

/** Where root's commands are; the PATH of a plain `su` leaves these out. */
const systemFolders = ["/usr/sbin", "/sbin"];

/** The environment in which the lab's commands find theirs. */
export function systemEnvironment(): Record<string, string> {
  const { PATH = "", ...rest } = childEnvironment();
  return { ...rest, PATH: [PATH, ...systemFolders].join(delimiter) };
}

/** Throws with the command line and what the command said when it fails. */
export async function runCommand(
  name: string,
  commandArguments: readonly string[],
  input = "",
): Promise<void> {
  const running = run(name, commandArguments, { env: systemEnvironment() });
  running.child.stdin?.on("error", () => {}); // gone before it read: how it ended is what counts
  running.child.stdin?.end(input);
  await running;
}
