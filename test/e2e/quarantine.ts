/**
 * Quarantines on the real API server without the workflow, each state with no more rights than
 * kubernetes/rbac.yaml gives to it. The workflow around them is tested by the other files.
 */
import { randomUUID } from "node:crypto";
import type { KubernetesObject, V1PodSpec, V1PodTemplateSpec } from "@kubernetes/client-node";
import { applyManifests } from "../../local/manifests.ts";
import { releaseNodes } from "../../local/nodes.ts";
import { responderAccess } from "../../local/responder.ts";
import { waitFor } from "../../local/wait.ts";
import { type As, asStates } from "../quarantine-run.ts";
import { aws, core, kubeconfig } from "./harness.ts";

export { type As, type Options, quarantine } from "../quarantine-run.ts";

const limitMs = 60_000;

/** The cluster as the function of each state sees it. */
export async function asResponder(): Promise<As> {
  return asStates(await responderAccess(kubeconfig));
}

export const pause: V1PodSpec = {
  automountServiceAccountToken: false,
  terminationGracePeriodSeconds: 0,
  containers: [{ name: "app", image: "registry.local/app:1", ports: [{ containerPort: 8080 }] }],
};

export function template(labels: Record<string, string>): V1PodTemplateSpec {
  return { metadata: { labels }, spec: pause };
}

type Manifest = KubernetesObject & Readonly<Record<string, unknown>>;

/** A namespace that no other test uses, with these objects in it, on nodes that take pods. */
export async function openNamespace(
  name: string,
  objects: (namespace: string) => readonly Manifest[],
): Promise<string> {
  const namespace = `${name}-${randomUUID().slice(0, 8)}`;
  await releaseNodes({ aws, kubernetes: kubeconfig });
  await applyManifests(kubeconfig, [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    ...objects(namespace),
  ]);
  return namespace;
}

/** The names of so many running pods that bear the label `app`, sorted. */
export function runningPods(namespace: string, app: string, count = 1): Promise<readonly string[]> {
  return waitFor({ what: `${count} pods of ${app}`, limitMs }, async () => {
    const { items } = await core.listNamespacedPod({ namespace, labelSelector: `app=${app}` });
    const running = items.filter(
      ({ status, metadata }) => status?.podIP && !metadata?.deletionTimestamp,
    );
    return running.length === count
      ? running.map(({ metadata }) => metadata?.name ?? "").toSorted()
      : undefined;
  });
}

export function aDeployment(namespace: string, app: string, replicas: number): Manifest {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: app, namespace },
    spec: { replicas, selector: { matchLabels: { app } }, template: template({ app }) },
  };
}

export function aBarePod(namespace: string, app: string, spec: Partial<V1PodSpec> = {}): Manifest {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: app, namespace, labels: { app } },
    spec: { ...pause, ...spec },
  };
}

export function aNetworkPolicy(namespace: string, name: string, spec: object): Manifest {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name, namespace },
    spec,
  };
}
