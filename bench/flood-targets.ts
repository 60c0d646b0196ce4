/** Pods to be flooded with alerts about. */
import { CoreV1Api, type KubeConfig, type V1Pod } from "@kubernetes/client-node";
import type { AlertTarget } from "../local/falco.ts";
import { waitFor } from "../local/wait.ts";

/** So that what a run reads of its namespace stays as large as in most clusters. */
const PODS_PER_NAMESPACE = 30;

const READY_LIMIT_MS = 300_000;

/**
 * Running pods in namespaces of their own, spread over the nodes that there are. They have no
 * controller, and names that share no rules on the AWS VPC CNI. They are put on their nodes without
 * the scheduler: nodes take more pods here than their size would allow.
 */
export async function createTargets(
  kubernetes: KubeConfig,
  name: string,
  count: number,
): Promise<readonly AlertTarget[]> {
  const core = kubernetes.makeApiClient(CoreV1Api);
  const nodes = (await core.listNode()).items.map(({ metadata }) => metadata?.name ?? "");
  const targets: AlertTarget[] = [];
  for (let from = 0; from < count; from += PODS_PER_NAMESPACE) {
    const namespace = `${name}-${from / PODS_PER_NAMESPACE}`;
    const pods = Math.min(PODS_PER_NAMESPACE, count - from);
    await core.createNamespace({ body: { metadata: { name: namespace } } });
    for (let index = 0; index < pods; index += 1) {
      const nodeName = nodes[index % nodes.length] ?? "";
      await core.createNamespacedPod({ namespace, body: manifestOf(index, nodeName) });
    }
    const what = `${pods} running pods in ${namespace}`;
    targets.push(
      ...(await waitFor({ what, limitMs: READY_LIMIT_MS }, async () => {
        const { items } = await core.listNamespacedPod({ namespace });
        const running = items.flatMap(targetOf);
        return running.length === pods ? running : undefined;
      })),
    );
  }
  return targets;
}

function manifestOf(index: number, nodeName: string): V1Pod {
  return {
    metadata: { name: `checkout${index}`, labels: { app: "checkout" } },
    spec: {
      nodeName,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "checkout", image: "registry.example/checkout:1.4.2" }],
    },
  };
}

function targetOf({ metadata, spec, status }: V1Pod): AlertTarget[] {
  const container = status?.containerStatuses?.[0];
  if (!container?.containerID || !metadata?.name || !metadata.namespace) return [];
  return [
    {
      ...{ namespace: metadata.namespace, pod: metadata.name, container: container.name },
      ...{ containerId: container.containerID, image: container.image },
      node: spec?.nodeName ?? "",
    },
  ];
}
