/**
 * The enclosure: network, process and mount namespaces of its own, in which the lab and its tests
 * run. Nothing of the machine's network is in reach from inside. When its first process ends, however
 * it ends, the kernel ends every other process in it, and with them every device, rule, flow and
 * temporary file.
 */
import * as z from "zod";
import { startLeashed } from "../leash.ts";
import { systemEnvironment } from "./commands.ts";
import { networkNamespace } from "./network.ts";

const variable = "PACKET_LAB";
/** Inside it is an empty file system of its own; nobody's project lies there. */
const ownFolder = "/run";

const contents = z.object({
  /** Binaries, built outside: inside nothing can be downloaded. */
  localkube: z.string(),
  policyController: z.string(),
  /** The machine's own network namespace. */
  outside: z.string(),
});

export type Enclosure = z.infer<typeof contents>;

/** The command that runs a command in a new enclosure. */
export function enclosed(command: readonly string[]): string[] {
  const enter = ["unshare", "--net", "--mount-proc", "--pid", "--fork", "--kill-child"];
  const furnish = `mount -t tmpfs packets ${ownFolder} && ip link set lo up && exec "$@"`;
  return [...enter, "sh", "-c", furnish, "sh", ...command];
}

/** Runs a command in a new enclosure, with our output as its own; returns its exit code. */
export async function runEnclosed(
  binaries: Omit<Enclosure, "outside">,
  command: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const handedIn: Enclosure = { ...binaries, outside: await networkNamespace() };
  // One stream for both outputs, so that their lines come in order.
  const [unshare = "", ...rest] = enclosed(["sh", "-c", 'exec "$@" 2>&1', "sh", ...command]);
  const { exited } = startLeashed(unshare, rest, {
    env: { ...systemEnvironment(), TMPDIR: ownFolder, [variable]: JSON.stringify(handedIn) },
    logFile: "/dev/null", // every line is ours already
    onLine: console.log,
    signal,
  });
  return (await exited).code;
}

/** What was handed in. Throws outside, where a lab would change the machine's own network. */
export async function enclosure(): Promise<Enclosure> {
  const value = process.env[variable];
  const handedIn = value === undefined ? undefined : contents.parse(JSON.parse(value));
  if (!handedIn || handedIn.outside === (await networkNamespace())) {
    throw new Error("The packet lab needs a network of its own: start it with `npm run packets`");
  }
  return handedIn;
}
