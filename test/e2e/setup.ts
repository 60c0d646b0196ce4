/**
 * One local stage for all end-to-end tests: started before the first file, stopped after the last.
 * The functions reach its servers through proxies that pass on everything until a test lays a fault.
 * The tests run in other processes, so what only the owner of the stage can do (take the API server
 * away and bring it back) is asked for over loopback.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";
import type { TestProject } from "vitest/node";
import { type Deployment, readDeployment } from "../../adapters/aws/deployment.ts";
import { createNodes } from "../../local/scene.ts";
import { type AwsClientConfig, type LocalStage, startLocalStage } from "../../local/stage.ts";
import { startProxies } from "../faults/proxies.ts";

/** A file that contains several pods of one shop keeps the node of each, and others run beside it. */
const NODES = 8;

export interface SharedStage {
  readonly aws: AwsClientConfig;
  readonly kubeconfig: string;
  readonly clusterName: string;
  readonly deployment: Deployment;
  readonly environment: Readonly<Record<string, string>>;
  readonly awsLog: string;
  /** `POST <controlUrl>/stop` and `/start` end and start the API server. */
  readonly controlUrl: string;
  /** Where faults are laid, for `faultsAt`. */
  readonly faultsUrl: string;
}

declare module "vitest" {
  export interface ProvidedContext {
    stage: SharedStage;
  }
}

export default async function setup({ vitest }: TestProject): Promise<() => Promise<void>> {
  const root = vitest.getRootProject();
  // Called once for each project of end-to-end tests: the first one's stage is provided to all.
  if ("stage" in root.getProvidedContext()) return async () => {};
  const proxies = await startProxies();
  const stage = await startLocalStage({ progress: console.error, between: proxies.between });
  const kubernetes = stage.kubernetes.getCurrentCluster()?.server ?? "";
  proxies.leadTo({ aws: stage.awsEndpoint, kubernetes, pki: dirname(stage.caFile) });
  await createNodes(stage, undefined, NODES);
  const control = await listen(controlOf(stage));
  const { aws, kubeconfig, clusterName, environment, logFiles } = stage;
  root.provide("stage", {
    ...{ aws, kubeconfig, clusterName, environment, awsLog: logFiles.aws },
    deployment: await readDeployment("local", aws),
    faultsUrl: proxies.controlUrl,
    controlUrl: `http://127.0.0.1:${(control.address() as AddressInfo).port}`,
  });
  return async () => {
    control.closeAllConnections();
    control.close();
    proxies.close();
    await stage.stop();
  };
}

function controlOf(stage: LocalStage): Server {
  const actions = new Map([
    ["/stop", stage.stopKubernetes],
    ["/start", stage.startKubernetes],
  ]);
  return createServer(async (request, response) => {
    try {
      await actions.get(request.url ?? "")?.();
      response.end();
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
}

function listen(server: Server): Promise<Server> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}
