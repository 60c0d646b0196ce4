/** Programs of others that a command hands its work to, and how to get the ones that are missing. */
import { spawn } from "node:child_process";

export interface Program {
  /** A name on the PATH, or a path. */
  readonly command: string;
  /** Arguments with which it only says its version. */
  readonly version: readonly string[];
  /** What it is for, and how to install it. */
  readonly install: string;
}

export const AWS_CLI: Program = {
  command: "aws",
  version: ["--version"],
  install:
    "the AWS CLI, for sessions and for tokens of the cluster: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
};

export const SESSION_MANAGER_PLUGIN: Program = {
  command: "session-manager-plugin",
  version: ["--version"],
  install:
    "the AWS CLI's plugin for Session Manager: https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html",
};

export const KUBECTL: Program = {
  command: "kubectl",
  version: ["version", "--client"],
  install: "for the cluster: https://kubernetes.io/docs/tasks/tools/",
};

/** CRANE_BIN names another binary than the one on the PATH. */
export function crane(environment: NodeJS.ProcessEnv = process.env): Program {
  return {
    command: environment.CRANE_BIN || "crane",
    version: ["version"],
    install:
      "copies images between registries: `go install github.com/google/go-containerregistry/cmd/crane@v0.22.1`, or a release from https://github.com/google/go-containerregistry/releases; CRANE_BIN may name the binary",
  };
}

/** Runs each of them once. Throws one error that names every one that does not run. */
export async function requirePrograms(
  programs: readonly Program[],
  environment: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const runs = await Promise.all(programs.map((program) => saysItsVersion(program, environment)));
  const missing = programs.filter((_, index) => !runs[index]);
  if (missing.length === 0) return;
  const lines = missing.map(({ command, install }) => `  - ${command}: ${install}`);
  throw new Error(`This needs programs that do not run here:\n${lines.join("\n")}`);
}

function saysItsVersion({ command, version }: Program, env: NodeJS.ProcessEnv): Promise<boolean> {
  return new Promise((resolve) => {
    // Not spawn's own time limit: that one keeps us waiting for a program that does not exist.
    const signal = AbortSignal.timeout(30_000);
    const child = spawn(command, version, { env, stdio: "ignore", signal });
    child.once("error", () => resolve(false));
    child.once("exit", (code) => resolve(code === 0));
  });
}
