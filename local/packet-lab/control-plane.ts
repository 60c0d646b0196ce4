/** What runs on the lab's node beside the pods: the API server, and the policy controller. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { startKubernetes } from "../kubernetes.ts";
import { type ResponderAccess, responderAccess } from "../responder.ts";
import { type Cluster, connectAdministrator } from "./cluster.ts";
import type { Enclosure } from "./enclosure.ts";
import { createMarkers, createNamespace, createNode, nodeName, ownNamespace } from "./objects.ts";
import { type PolicyController, startPolicyController } from "./policy-controller.ts";

export interface ControlPlane {
  readonly cluster: Cluster;
  readonly responder: ResponderAccess;
  readonly enforced: PolicyController["enforced"];
  stop(): Promise<void>;
}

/** Starts both in this network namespace, with the lab's own objects. On failure nothing is left. */
export async function startControlPlane(binaries: Enclosure): Promise<ControlPlane> {
  const folder = await mkdtemp(join(tmpdir(), "packet-lab-"));
  const undo: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const kubernetes = await startKubernetes(binaries.localkube, {
      ...{ dir: join(folder, "kubernetes"), port: 0, logFile: join(folder, "kubernetes.log") },
      // Nobody signs in with an AWS token here.
      ...{ clusterName: "packet-lab", region: "us-east-1", awsEndpoint: "http://127.0.0.1:9" },
    });
    undo.push(() => kubernetes.stop());
    const { server, kubeconfig, caFile } = kubernetes;
    const cluster = await connectAdministrator(server, caFile);
    undo.push(() => cluster.close());
    await createNode(cluster);
    await createNamespace(cluster, ownNamespace, {});
    await createMarkers(cluster);
    const administrator = new KubeConfig();
    administrator.loadFromFile(kubeconfig);
    const responder = await responderAccess(administrator);
    const controller = await startPolicyController(binaries.policyController, {
      kubeconfig,
      node: nodeName,
      logFile: join(folder, "policy-controller.log"),
    });
    undo.push(() => controller.stop());
    return { cluster, responder, enforced: controller.enforced, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
