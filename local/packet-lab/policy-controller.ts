/** The controller that turns NetworkPolicies into iptables rules: kube-router's, built once. */
import { readFile } from "node:fs/promises";
import * as z from "zod";
import { type GoProgram, goProgram } from "../go-program.ts";
import { type Leashed, logTail, startLeashed } from "../leash.ts";
import type { GoToolchain } from "../prerequisites.ts";
import type { Progress } from "../project.ts";
import { systemEnvironment } from "./commands.ts";

const KUBE_ROUTER: GoProgram = {
  name: "kube-router",
  module: "local/packet-lab/kube-router",
  usually: "about a minute the first time on this machine, 5 s with warm Go caches",
};
/** A sync takes 50 ms on an idle machine; a build beside it makes that a second. */
const enforcedLimitMs = 30_000;
/** It has nothing to finish: its rules end with the namespace. */
const graceMs = 200;

const reportLine = z.object({ enforced: z.int() });

export interface PolicyController extends Leashed {
  /** Resolves when everything up to this round is enforced. See `kube-router/rounds.go`. */
  enforced(round: number): Promise<void>;
}

/** The path of the binary, built when the sources changed. */
export function policyControllerBinary(
  tools: GoToolchain,
  progress: Progress,
  signal?: AbortSignal,
): Promise<string> {
  return goProgram(KUBE_ROUTER, tools, progress, signal);
}

/** Starts it in this network namespace; returns when it enforces what the cluster holds. */
export async function startPolicyController(
  binary: string,
  options: { readonly kubeconfig: string; readonly node: string; readonly logFile: string },
): Promise<PolicyController> {
  const { kubeconfig, node, logFile } = options;
  let latest = -1;
  let ending: string | undefined;
  const waiting = new Set<() => void>();
  const news = () => {
    for (const look of waiting) look();
  };
  const controller = startLeashed(binary, ["--kubeconfig", kubeconfig, "--node", node], {
    env: systemEnvironment(),
    logFile,
    graceMs,
    onLine(line) {
      latest = reportLine.parse(JSON.parse(line)).enforced;
      news();
    },
  });
  controller.exited.then(({ code }) => {
    ending = `The policy controller ended with ${code}`;
    news();
  });
  const reached = (round: number) =>
    new Promise<void>((resolve, reject) => {
      const settle = (failure?: string) => {
        clearTimeout(limit);
        waiting.delete(look);
        if (failure === undefined) resolve();
        else reject(new Error(`${failure}. ${logTail(logFile)}`));
      };
      const look = () => {
        if (latest >= round) settle();
        else if (ending !== undefined) settle(ending);
      };
      const late = `Round ${round} was not enforced within ${enforcedLimitMs / 1000} s`;
      const limit = setTimeout(() => settle(late), enforcedLimitMs);
      waiting.add(look);
      look();
    });
  let complaintsRead = 0;
  const enforced = async (round: number) => {
    await reached(round);
    const complaints = complaintsIn(await readFile(logFile, "utf8")).slice(complaintsRead);
    complaintsRead += complaints.length;
    if (complaints.length > 0) {
      throw new Error(`The policy controller failed: ${complaints.join("\n")}`);
    }
  };
  try {
    await enforced(0);
  } catch (error) {
    await controller.stop();
    throw error;
  }
  return { ...controller, enforced };
}

/** A failed sync leaves the rules of the one before in place, and only the log says so. */
function complaintsIn(log: string): string[] {
  return log.split("\n").filter((line) => /^[EF]\d{4} /.test(line));
}
