/**
 * The local stage: a real API server and an emulated AWS on loopback, with the app deployed to it by
 * an unmodified `sst deploy`. Tests and `npm run local` start it; many can be up at once.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { settingsFor } from "../stages.ts";
import { announce, refuseSecondStage, withdraw } from "./announcement.ts";
import { installCni } from "./cni/cni.ts";
import { deployApp } from "./deploy.ts";
import { awsEnvironment, emulatedCredentials } from "./environment.ts";
import { applyManifests, readManifests } from "./manifests.ts";
import { checkPrerequisites } from "./prerequisites.ts";
import { type Progress, projectRoot } from "./project.ts";
import { type Between, type Servers, startServers, timed } from "./servers.ts";
import { unprovidedTypes } from "./unprovided-types.ts";

const rbac = join(projectRoot, "kubernetes", "rbac.yaml");

export interface LocalStageOptions {
  readonly progress: Progress;
  /** Lets the command line find this stage; refused while another announced one is up. */
  readonly announce?: boolean | undefined;
  /** Leads the functions to something that stands before the servers. */
  readonly between?: Between | undefined;
  /** Ends the start, and everything already started, when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** What every SDK client needs to speak to the emulated AWS. */
export interface AwsClientConfig {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

export interface LocalStage {
  readonly awsEndpoint: string;
  readonly region: string;
  readonly clusterName: string;
  /** Add to a child process's environment to lead its AWS clients here. */
  readonly environment: Readonly<Record<string, string>>;
  readonly aws: AwsClientConfig;
  /** The cluster's administrator. Stays valid over a restart of the API server. */
  readonly kubernetes: KubeConfig;
  /** Path of the same. */
  readonly kubeconfig: string;
  /** Path of the API server's certificate authority; its own certificate lies beside it. */
  readonly caFile: string;
  readonly logFiles: { readonly kubernetes: string; readonly aws: string; readonly deploy: string };
  /** Milliseconds by step. */
  readonly timings: Readonly<Record<string, number>>;
  /** Resolves with a sentence when a server ends that nobody stopped. */
  readonly broken: Promise<string>;
  /** Ends the API server, as an outage would. */
  stopKubernetes(): Promise<void>;
  /** Starts it again where it is down: with its data, on the same port, with the same certificates. */
  startKubernetes(): Promise<void>;
  /** Ends everything and removes the work folder. */
  stop(): Promise<void>;
}

/** Starts a stage of its own. On any failure everything already started is stopped. */
export async function startLocalStage(options: LocalStageOptions): Promise<LocalStage> {
  const startedAt = new Date().toISOString();
  if (options.announce) await refuseSecondStage();
  const tools = await checkPrerequisites();
  const folder = await mkdtemp(join(tmpdir(), "containment-local-"));
  const abort = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, abort.signal]) : abort.signal;
  let servers: Servers | undefined;
  try {
    servers = await startServers({
      ...settings(),
      tools,
      folder,
      progress: options.progress,
      between: options.between,
      signal,
    });
    const stage = await furnish(servers, folder, { ...options, signal });
    if (options.announce) {
      const { awsEndpoint, region, kubeconfig } = stage;
      await announce({ awsEndpoint, region, kubeconfig, pid: process.pid, startedAt });
    }
    return stage;
  } catch (error) {
    abort.abort();
    await servers?.stop();
    if (options.signal?.aborted) await rm(folder, { recursive: true, force: true });
    else options.progress(`The start failed; its logs are in ${folder}`);
    throw error;
  }
}

function settings(): { readonly region: string; readonly clusterName: string } {
  const { region, cluster } = settingsFor("local");
  return { region, clusterName: cluster.name };
}

/** Makes a stage of two bare servers: our permissions and a CNI in the cluster, then the app. */
async function furnish(
  servers: Servers,
  folder: string,
  { progress, signal }: LocalStageOptions,
): Promise<LocalStage> {
  const { region, clusterName } = settings();
  const { timings } = servers;
  const awsEndpoint = servers.aws.endpoint;
  const environment = awsEnvironment(awsEndpoint, region);
  const aws = { endpoint: awsEndpoint, region, credentials: emulatedCredentials };
  const kubernetes = new KubeConfig();
  kubernetes.loadFromFile(servers.kubernetes.kubeconfig);

  await timed(timings, "rbac", async () => applyManifests(kubernetes, await readManifests(rbac)));
  await timed(timings, "cni", () => installCni(kubernetes, "vpc"));
  progress("deploy: sst deploy --stage local (about 20 s the first time)");
  const logFiles = { ...servers.logFiles, deploy: join(folder, "deploy.log") };
  await timed(timings, "deploy", () =>
    deployApp({ environment, logFile: logFiles.deploy, progress, signal }),
  );
  const unprovided = await unprovidedTypes(logFiles.aws);
  if (unprovided.length > 0) {
    throw new Error(
      `The emulated AWS silently ignored resources of these types: ${unprovided.join(", ")}. Give the plugin in local/localemu a provider, or accept the type, with its reason, in local/unprovided-types.ts.`,
    );
  }

  let stopped: Promise<void> | undefined;
  return {
    awsEndpoint,
    region,
    clusterName,
    environment,
    aws,
    kubernetes,
    kubeconfig: servers.kubernetes.kubeconfig,
    caFile: servers.kubernetes.caFile,
    logFiles,
    timings,
    broken: servers.broken,
    stopKubernetes: () => servers.stopKubernetes(),
    startKubernetes: () => servers.startKubernetes(),
    stop() {
      stopped ??= (async () => {
        await withdraw(process.pid);
        await servers.stop();
        await rm(folder, { recursive: true, force: true });
      })();
      return stopped;
    },
  };
}
