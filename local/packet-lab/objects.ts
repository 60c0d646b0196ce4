/** The Kubernetes objects that the lab itself creates. */

import type { ContainerPort, Labels, Pod } from "../../core/kubernetes.ts";
import { waitFor } from "../wait.ts";
import { type Cluster, Refusal } from "./cluster.ts";
import { nodeAddress } from "./network.ts";

export const nodeName = "node-1";
/** Of the lab's own objects: the markers of its rounds, and the identity of the product. */
export const ownNamespace = "packet-lab";
const startLimitMs = 30_000;

export interface PodOptions {
  readonly namespace: string;
  readonly name: string;
  readonly labels?: Labels;
  /** As its container declares them: what a policy's port name stands for. */
  readonly declares?: readonly ContainerPort[];
  /** Where it answers, over TCP and UDP. Declared or not makes no difference. */
  readonly listens: readonly number[];
}

export async function createNode(cluster: Cluster): Promise<void> {
  await cluster.create("/api/v1/nodes", {
    ...{ apiVersion: "v1", kind: "Node", metadata: { name: nodeName } },
    status: { addresses: [{ type: "InternalIP", address: nodeAddress }] },
  });
}

/** Returns when pods are admitted: they need the service account that a controller creates. */
export async function createNamespace(
  cluster: Cluster,
  name: string,
  labels: Labels,
): Promise<void> {
  await cluster.create("/api/v1/namespaces", {
    ...{ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } },
  });
  await waitFor({ what: `the service account of ${name}`, limitMs: startLimitMs }, () =>
    found(cluster.get(`/api/v1/namespaces/${name}/serviceaccounts/default`)),
  );
}

/** Returns its address, which the fake kubelet of localkube chooses. */
export async function createPod(
  cluster: Cluster,
  { namespace, name, labels = {}, declares = [] }: PodOptions,
  hostNetwork = false,
): Promise<string> {
  await cluster.create(`/api/v1/namespaces/${namespace}/pods`, {
    ...{ apiVersion: "v1", kind: "Pod", metadata: { name, namespace, labels } },
    spec: {
      ...{ nodeName, hostNetwork },
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      containers: [{ name: "main", image: "packet-lab.invalid/echo", ports: declares }],
    },
  });
  return waitFor(
    { what: `the address of ${namespace}/${name}`, limitMs: startLimitMs },
    async () => {
      const pod = await cluster.get<Pod>(podPath({ namespace, name }));
      return pod.status?.podIP;
    },
  );
}

export function podPath({ namespace, name }: { namespace: string; name: string }): string {
  return `/api/v1/namespaces/${namespace}/pods/${name}`;
}

const marker = { namespace: ownNamespace, name: "marker" } as const;
const markerPolicies = `/apis/networking.k8s.io/v1/namespaces/${ownNamespace}/networkpolicies`;
export const markerPaths = [
  podPath(marker),
  `/api/v1/namespaces/${ownNamespace}`,
  `${markerPolicies}/${marker.name}`,
];

/** One object of each kind that decides on traffic, which itself decides on none. */
export async function createMarkers(cluster: Cluster): Promise<void> {
  await cluster.create(`/api/v1/namespaces/${ownNamespace}/pods`, {
    ...{ apiVersion: "v1", kind: "Pod", metadata: marker },
    spec: {
      schedulerName: "none", // it never runs, so it has no address
      containers: [{ name: "main", image: "packet-lab.invalid/marker" }],
    },
  });
  await cluster.create(markerPolicies, {
    ...{ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: marker },
    spec: { podSelector: {}, policyTypes: ["Ingress"], ingress: [{}] },
  });
}

/** Undefined instead of a 404. */
async function found<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Refusal && error.status === 404) return undefined;
    throw error;
  }
}
