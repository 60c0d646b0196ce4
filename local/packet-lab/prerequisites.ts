/** What the packet lab needs of a machine, beside what the local stage needs. */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { checkPrerequisites, type GoToolchain } from "../prerequisites.ts";
import { runCommand, systemEnvironment } from "./commands.ts";
import { enclosed } from "./enclosure.ts";

/** Command and Debian package. */
const commands: Readonly<Record<string, string>> = {
  iptables: "iptables",
  ipset: "ipset",
  conntrack: "conntrack",
  ip: "iproute2",
  unshare: "util-linux",
  nsenter: "util-linux",
};
/** What the lab does, in small: a container or a kernel may refuse any of it, even to root. */
const trial =
  "ip link add pod1 type veth peer name eth0 && iptables --list && ipset list && conntrack --count";

/** The toolchain is what builds the policy controller. */
export interface Tools extends GoToolchain {
  readonly localkube: Awaited<ReturnType<typeof checkPrerequisites>>["localkube"];
}

/** The tools, or one sentence that says what is missing and how to get it. */
export async function findTools(): Promise<Tools | string> {
  if (process.platform !== "linux") return "network namespaces exist only on Linux";
  if (process.getuid?.() !== 0) return "only root may create network namespaces: run it as root";
  const missing = Object.keys(commands).filter((command) => !isInstalled(command));
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((command) => commands[command]))];
    return `${missing.join(", ")} not found: apt-get install ${packages.join(" ")}`;
  }
  const [unshare = "", ...rest] = enclosed(["sh", "-c", trial]);
  try {
    await runCommand(unshare, rest);
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? error.stderr : error;
    return `this machine refuses what the lab needs: ${oneLine(said)}`;
  }
  return findBuildTools();
}

function isInstalled(command: string): boolean {
  return (systemEnvironment().PATH ?? "")
    .split(delimiter)
    .some((folder) => folder !== "" && existsSync(join(folder, command)));
}

async function findBuildTools(): Promise<Tools | string> {
  try {
    const { localkube } = await checkPrerequisites();
    if (localkube.kind === "build") {
      return { localkube, go: localkube.go, goVersion: localkube.goVersion };
    }
    // A ready localkube makes Go unnecessary for the stage, but not for the policy controller.
    const { LOCALKUBE_BIN: _, ...environment } = process.env;
    const own = (await checkPrerequisites(environment)).localkube;
    if (own.kind === "binary") throw new Error("Go was looked for, a binary was found");
    return { localkube, go: own.go, goVersion: own.goVersion };
  } catch (error) {
    return oneLine(error);
  }
}

function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trim().replace(/\s+/g, " ");
}
