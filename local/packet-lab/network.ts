/**
 * The network of the lab: one node that routes between its pods, as the VPC CNI does it. The node is
 * the network namespace of this process. Each pod has a /32 address and one cable to the node.
 */
import { readlink, writeFile } from "node:fs/promises";
import { runCommand } from "./commands.ts";

export const nodeAddress = "10.0.0.10";

/** Tells one network namespace from another, e.g. `net:[4026531840]`. */
export function networkNamespace(): Promise<string> {
  return readlink("/proc/self/ns/net");
}

/** Makes this namespace a node: an address, routing, and no rules of an earlier lab. */
export async function setUpNode(): Promise<void> {
  await ip([`address replace ${nodeAddress}/32 dev lo`]); // answers for the node on every cable
  await writeFile("/proc/sys/net/ipv4/ip_forward", "1");
  // Else the node tells only some of the senders that it refuses their packets.
  await writeFile("/proc/sys/net/ipv4/icmp_ratemask", "0");
  await runCommand("iptables", ["--flush"]);
  await runCommand("iptables", ["--delete-chain"]);
  await runCommand("ipset", ["destroy"]);
  await forgetFlows();
}

export interface Cable {
  /** At the node's end. */
  readonly device: string;
}

let cables = 0;

/** Connects the pod whose network namespace is that of the process `pid`. */
export async function connectPod(pid: number, address: string): Promise<Cable> {
  const device = `pod${++cables}`;
  await ip([
    `link add ${device} type veth peer name eth0 netns ${pid}`,
    `link set ${device} up`,
    `route add ${address}/32 dev ${device} src ${nodeAddress}`,
  ]);
  await ip(
    [
      "link set lo up",
      `address add ${address}/32 dev eth0`,
      "link set eth0 up",
      `route add ${nodeAddress} dev eth0 scope link`,
      `route add default via ${nodeAddress}`,
    ],
    pid,
  );
  return { device };
}

export async function disconnectPod({ device }: Cable): Promise<void> {
  await ip([`link delete ${device}`]);
}

/** Makes the node forget the flows of an address, or all: their next packet counts as a new flow. */
export async function forgetFlows(address?: string): Promise<void> {
  if (address === undefined) return void (await runCommand("conntrack", ["--flush"]));
  for (const side of ["--orig-src", "--orig-dst"]) {
    await runCommand("conntrack", ["--delete", side, address]).catch(unlessNone);
  }
}

/** conntrack ends with an error when nothing matched. */
function unlessNone(error: unknown): void {
  if (!/ 0 flow entries/.test(String(error))) throw error;
}

/** Network changes, one a line, here or in the namespace of a process. */
async function ip(lines: readonly string[], pid?: number): Promise<void> {
  const inside = pid === undefined ? [] : ["nsenter", "--net", "--target", String(pid)];
  const [name = "", ...args] = [...inside, "ip", "-batch", "-"];
  await runCommand(name, args, `${lines.join("\n")}\n`);
}
