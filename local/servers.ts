/** The two servers of a stage, started side by side, and kept an eye on. */
import { join } from "node:path";
import { type Aws, emulatorPython, startAws } from "./aws.ts";
import { caFileOf, type Kubernetes, localkubeBinary, startKubernetes } from "./kubernetes.ts";
import { freePorts } from "./ports.ts";
import type { Prerequisites } from "./prerequisites.ts";
import type { Progress } from "./project.ts";

/**
 * What stands between the functions and the servers, and between the API server and STS: the
 * endpoints that they are told instead of the servers' own.
 */
export interface Between {
  readonly kubernetes: string;
  readonly aws: string;
}

export interface ServersOptions {
  readonly tools: Prerequisites;
  readonly region: string;
  readonly clusterName: string;
  /** Everything that the servers write. */
  readonly folder: string;
  readonly progress: Progress;
  readonly between?: Between | undefined;
  /** Aborting it stops whatever runs. */
  readonly signal: AbortSignal;
}

export interface Servers {
  readonly aws: Aws;
  readonly kubernetes: Pick<Kubernetes, "server" | "kubeconfig" | "caFile">;
  readonly logFiles: { readonly kubernetes: string; readonly aws: string };
  /** Milliseconds by step; further steps may be added. */
  readonly timings: Record<string, number>;
  readonly broken: Promise<string>;
  stopKubernetes(): Promise<void>;
  startKubernetes(): Promise<void>;
  stop(): Promise<void>;
}

export async function startServers(options: ServersOptions): Promise<Servers> {
  const { folder, progress, signal, region, clusterName, between } = options;
  const timings: Record<string, number> = {};
  const { tools } = options;
  const [kubernetesPort = 0, awsPort = 0] = await freePorts(2);
  const dir = join(folder, "kubernetes");
  const logFiles = { kubernetes: join(folder, "kubernetes.log"), aws: join(folder, "aws.log") };
  const awsEndpoint = `http://127.0.0.1:${awsPort}`;

  // One build at a time: each alone keeps a laptop's cores busy.
  const python = await timed(timings, "emulatorBuild", () =>
    emulatorPython(tools.python, progress, signal),
  );
  const binary = await timed(timings, "localkubeBuild", () =>
    localkubeBinary(tools.localkube, progress, signal),
  );
  const upKubernetes = () =>
    startKubernetes(binary, {
      ...{ dir, port: kubernetesPort, clusterName, region },
      awsEndpoint: between?.aws ?? awsEndpoint,
      ...{ logFile: logFiles.kubernetes, signal },
    });
  const upAws = () =>
    startAws(python, {
      ...{ port: awsPort, dir: join(folder, "aws"), logFile: logFiles.aws, signal },
      eks: {
        endpoint: between?.kubernetes ?? `https://127.0.0.1:${kubernetesPort}`,
        caFile: caFileOf(dir),
      },
      functionsEndpoint: between?.aws,
    });

  progress("starting the API server and the emulated AWS");
  const [kubernetes, aws] = await bothOrNone(
    timed(timings, "kubernetes", upKubernetes),
    timed(timings, "aws", upAws),
  );

  let current: Kubernetes | undefined = kubernetes;
  let stopping = false;
  let report: (sentence: string) => void = () => {};
  const broken = new Promise<string>((resolve) => {
    report = resolve;
  });
  const watchKubernetes = (watched: Kubernetes) => {
    watched.exited.then(({ code }) => {
      if (!stopping && current === watched) report(`The API server ended with ${code}`);
    });
  };
  watchKubernetes(kubernetes);
  aws.exited.then(({ code }) => {
    if (!stopping) report(`The emulated AWS ended with ${code}`);
  });

  return {
    aws,
    kubernetes,
    logFiles,
    timings,
    broken,
    async stopKubernetes() {
      const stopped = current;
      current = undefined; // before it ends: this end is meant
      await stopped?.stop();
    },
    async startKubernetes() {
      if (current) return;
      current = await upKubernetes();
      watchKubernetes(current);
    },
    async stop() {
      stopping = true;
      await Promise.all([current?.stop(), aws.stop()]);
    },
  };
}

/** Runs a step and records how long it took, in milliseconds. */
export async function timed<T>(
  timings: Record<string, number>,
  step: string,
  work: () => Promise<T>,
): Promise<T> {
  const startedAt = performance.now();
  try {
    return await work();
  } finally {
    timings[step] = Math.round(performance.now() - startedAt);
  }
}

/** Both servers, or, when one of them does not start, neither of them. */
async function bothOrNone(
  kubernetes: Promise<Kubernetes>,
  aws: Promise<Aws>,
): Promise<[Kubernetes, Aws]> {
  const outcomes = await Promise.allSettled([kubernetes, aws]);
  const [first, second] = outcomes;
  if (first.status === "fulfilled" && second.status === "fulfilled") {
    return [first.value, second.value];
  }
  for (const outcome of outcomes) {
    if (outcome.status === "fulfilled") await outcome.value.stop();
  }
  const reasons = outcomes.flatMap((outcome) =>
    outcome.status === "rejected" ? [outcome.reason] : [],
  );
  throw reasons.length === 1 ? reasons[0] : new AggregateError(reasons, reasons.join("\n\n"));
}
