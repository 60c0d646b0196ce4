/** The real Kubernetes control plane of the local stage: `localkube`, one Go binary of our own. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import * as z from "zod";
import { childEnvironment } from "./environment.ts";
import { type GoProgram, goProgram } from "./go-program.ts";
import { type Leashed, logTail, startLeashed } from "./leash.ts";
import type { Localkube } from "./prerequisites.ts";
import type { Progress } from "./project.ts";

const kubernetesVersion = { git: "v1.35.4", major: "1", minor: "35" } as const;
const versionPackage = "k8s.io/component-base/version";
const linkerFlags = [
  "-s -w",
  `-X ${versionPackage}.gitVersion=${kubernetesVersion.git}`,
  `-X ${versionPackage}.gitMajor=${kubernetesVersion.major}`,
  `-X ${versionPackage}.gitMinor=${kubernetesVersion.minor}`,
].join(" ");

const LOCALKUBE: GoProgram = {
  name: "localkube",
  module: "local/localkube",
  linkerFlags,
  usually: "about 5 minutes the first time on this machine, 10 s with warm Go caches",
};
/** Three seconds on an idle machine; the rest is for one that builds beside it. */
const readyLimitMs = 90_000;
const graceMs = 5_000;

const readyLine = z.object({
  server: z.url(),
  kubeconfig: z.string(),
  caFile: z.string(),
  readyMs: z.number(),
});

export interface KubernetesOptions {
  /** Certificates and etcd. A start on the same folder and port continues where the last one ended. */
  readonly dir: string;
  readonly port: number;
  /** The EKS cluster that tokens must be presigned for. */
  readonly clusterName: string;
  readonly region: string;
  /** Where tokens are verified: the emulated STS and EKS. */
  readonly awsEndpoint: string;
  readonly logFile: string;
  readonly signal?: AbortSignal | undefined;
}

export interface Kubernetes extends Leashed {
  readonly server: string;
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  readonly caFile: string;
  readonly readyMs: number;
}

/** Where `localkube` writes its CA: the emulated EKS is told before the file exists. */
export function caFileOf(dir: string): string {
  return join(dir, "pki", "ca.crt");
}

/** The path of the binary: the one that LOCALKUBE_BIN names, or ours, built when the sources changed. */
export async function localkubeBinary(
  localkube: Localkube,
  progress: Progress,
  signal?: AbortSignal,
): Promise<string> {
  if (localkube.kind === "binary") return localkube.path;
  return goProgram(LOCALKUBE, localkube, progress, signal);
}

/** Starts the control plane and returns when the API server, the controllers and the nodes' agent work. */
export async function startKubernetes(
  binary: string,
  options: KubernetesOptions,
): Promise<Kubernetes> {
  await mkdir(options.dir, { recursive: true, mode: 0o700 });
  let heard: (line: string) => void = () => {};
  const firstLine = new Promise<string>((resolve) => {
    heard = resolve;
  });
  const server = startLeashed(
    binary,
    [
      ...["up", "--dir", options.dir, "--port", String(options.port)],
      ...["--eks-cluster", options.clusterName, "--region", options.region],
      ...["--aws-endpoint", options.awsEndpoint],
    ],
    {
      logFile: options.logFile,
      env: childEnvironment(),
      onLine: heard,
      graceMs,
      signal: options.signal,
    },
  );
  try {
    const ready = readyLine.parse(JSON.parse(await inTime(firstLine, server)));
    if (ready.caFile !== caFileOf(options.dir)) {
      throw new Error(`localkube wrote its CA to ${ready.caFile}, not to ${caFileOf(options.dir)}`);
    }
    return { ...server, ...ready };
  } catch (cause) {
    await server.stop();
    options.signal?.throwIfAborted();
    throw new Error(`Kubernetes did not start. ${logTail(options.logFile)}`, { cause });
  }
}

/** The line, unless the server ends or the time is up before it comes. */
async function inTime(line: Promise<string>, server: Leashed): Promise<string> {
  const ended = server.exited.then(({ code }) => {
    throw new Error(`localkube ended with ${code} before it was ready`);
  });
  // It ends one day in any case; only an end before the line is a failure.
  ended.catch(() => {});
  const cancel = new AbortController();
  const late = delay(readyLimitMs, undefined, { signal: cancel.signal }).then(() => {
    throw new Error(`The API server was not ready after ${readyLimitMs / 1000} s`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([line, ended, late]);
  } finally {
    cancel.abort();
  }
}
