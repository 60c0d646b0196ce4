/** The controller that turns NetworkPolicies into iptables rules: kube-router's, built once. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { buildOnce } from "../cache.ts";
import { childEnvironment } from "../environment.ts";
import { type Leashed, logTail, runLeashed, startLeashed } from "../leash.ts";
import type { Progress } from "../project.ts";
import { systemEnvironment } from "./commands.ts";
import type { Tools } from "./prerequisites.ts";

const sources = join(import.meta.dirname, "kube-router");
const linkerFlags = "-s -w";
const buildLimitMs = 30 * 60_000;
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
export async function policyControllerBinary(
  tools: Pick<Tools, "go" | "goVersion">,
  progress: Progress,
  signal?: AbortSignal,
): Promise<string> {
  const folder = await buildOnce({
    name: "kube-router",
    sources: [sources],
    salts: [tools.goVersion, process.platform, process.arch, linkerFlags],
    usually: "about a minute the first time on this machine, 5 s with warm Go caches",
    progress,
    signal,
    build: async ({ folder, log }) => {
      const output = join(folder, "kube-router");
      const flags = ["-buildvcs=false", "-trimpath", "-ldflags", linkerFlags, "-o", output];
      await runLeashed(tools.go, ["build", ...flags, "."], {
        what: "Building kube-router's network policy controller",
        cwd: sources,
        env: childEnvironment(),
        logFile: log,
        timeLimitMs: buildLimitMs,
        signal,
      });
    },
  });
  return join(folder, "kube-router");
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
