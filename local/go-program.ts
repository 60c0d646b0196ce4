/** Programs of our own tests and of the local stage that are built from Go modules, each once. */
import { join } from "node:path";
import { buildOnce } from "./cache.ts";
import { childEnvironment } from "./environment.ts";
import { runLeashed } from "./leash.ts";
import type { GoToolchain } from "./prerequisites.ts";
import { type Progress, projectRoot } from "./project.ts";

const buildLimitMs = 30 * 60_000;

export interface GoProgram {
  /** Of the binary, and first part of its folder in the cache. */
  readonly name: string;
  /** The module's folder, from the project's root: what it pins decides what is built. */
  readonly module: string;
  /** @default the module itself */
  readonly package?: string;
  /** @default "-s -w" */
  readonly linkerFlags?: string;
  /** For the person who waits. */
  readonly usually: string;
}

export const CRANE: GoProgram = {
  name: "crane",
  module: "local/crane",
  package: "github.com/google/go-containerregistry/cmd/crane",
  usually: "about 20 s the first time on this machine, 2 s with warm Go caches",
};

const kubectl = {
  module: "local/kubectl",
  usually: "about a minute the first time on this machine, 10 s with warm Go caches",
};
const kubernetesVersion = "-X k8s.io/component-base/version.gitVersion=v1.35.4";

export const KUBECTL: GoProgram = {
  ...kubectl,
  name: "kubectl",
  linkerFlags: `-s -w ${kubernetesVersion}`,
};

/** Answers port forwards for the nodes of a local stage. */
export const KUBELET: GoProgram = { ...kubectl, name: "kubelet", package: "./kubelet" };

/** The path of the binary, built when the module changed. */
export async function goProgram(
  { name, module, package: built = ".", linkerFlags = "-s -w", usually }: GoProgram,
  { go, goVersion }: GoToolchain,
  progress: Progress,
  signal?: AbortSignal,
): Promise<string> {
  const sources = join(projectRoot, module);
  const folder = await buildOnce({
    name,
    sources: [sources],
    salts: [goVersion, process.platform, process.arch, linkerFlags],
    usually,
    progress,
    signal,
    build: async ({ folder, log }) => {
      const output = join(folder, name);
      const flags = ["-buildvcs=false", "-trimpath", "-ldflags", linkerFlags, "-o", output];
      await runLeashed(go, ["build", ...flags, built], {
        what: `Building ${name}`,
        cwd: sources,
        env: childEnvironment(),
        logFile: log,
        timeLimitMs: buildLimitMs,
        signal,
      });
    },
  });
  return join(folder, name);
}
