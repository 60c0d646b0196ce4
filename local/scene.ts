/**
 * What there is to protect on a local stage: two nodes whose EC2 instances really exist in the
 * emulated EC2, and shops, one per namespace, whose database sits on a real emulated EBS volume.
 */
import { randomInt } from "node:crypto";
import {
  AttachVolumeCommand,
  CreateVolumeCommand,
  DescribeInstancesCommand,
  EC2Client,
} from "@aws-sdk/client-ec2";
import { AppsV1Api, CoreV1Api, type V1Pod } from "@kubernetes/client-node";
import { applyManifests } from "./manifests.ts";
import { availabilityZone, instanceIdOf, type NodeGroup, releaseNodes } from "./nodes.ts";
import { databaseClaim, persistentVolumeName, shopManifests, volumeSizeGiB } from "./shop.ts";
import type { LocalStage } from "./stage.ts";
import { waitFor } from "./wait.ts";

export { createNodes, type NodeGroup, type SceneNode } from "./nodes.ts";

const readyLimitMs = 60_000;

type Stage = Pick<LocalStage, "aws" | "kubernetes">;

export interface ScenePod {
  readonly name: string;
  readonly uid: string;
  readonly ip: string;
  readonly container: string;
  /** As in the pod's status: `containerd://` and 64 digits. */
  readonly containerId: string;
  readonly image: string;
  readonly node: string;
  readonly instanceId: string;
}

export interface SceneWorkload {
  readonly name: string;
  readonly uid: string;
  readonly pods: readonly ScenePod[];
}

export interface Shop {
  readonly namespace: string;
  /** Deployment of two pods: the one that gets compromised. */
  readonly checkout: SceneWorkload;
  /** Deployment of one pod: the neighbour. */
  readonly frontend: SceneWorkload;
  /** StatefulSet of one pod. */
  readonly database: SceneWorkload;
  readonly volume: {
    readonly volumeId: string;
    readonly claim: string;
    readonly persistentVolume: string;
    /** Where it is attached: the instance of the database's node. */
    readonly instanceId: string;
    readonly device: string;
  };
}

/**
 * Creates a shop and returns when every pod runs. Needs the nodes of `createNodes()`, and takes back
 * those of its group that a containment in another shop has kept. Without a group its pods run on any
 * node.
 */
export async function createShop(
  stage: Stage,
  namespace = "payments",
  nodeGroup?: NodeGroup,
): Promise<Shop> {
  const ec2 = new EC2Client(stage.aws);
  const { VolumeId: volumeId } = await ec2.send(
    new CreateVolumeCommand({
      AvailabilityZone: availabilityZone,
      Size: volumeSizeGiB,
      VolumeType: "gp3",
    }),
  );
  if (!volumeId) throw new Error("CreateVolume answered without a volume id");
  await releaseNodes(stage, nodeGroup);
  const volumeOf = { volumeId, availabilityZone };
  const manifests = shopManifests(namespace, volumeOf, nodeGroup?.name);
  await applyManifests(stage.kubernetes, manifests);
  const shop = await running(stage, namespace);
  const [databasePod] = shop.database.pods;
  if (!databasePod) throw new Error(`StatefulSet ${namespace}/database has no pod`);

  // As the EBS CSI driver does: attached once the scheduler has said where.
  const { instanceId } = databasePod;
  const device = await attach(ec2, volumeId, instanceId);
  ec2.destroy();
  const persistentVolume = persistentVolumeName(namespace);
  const volume = { volumeId, claim: databaseClaim, persistentVolume, instanceId, device };
  return { ...shop, volume };
}

async function running(stage: Stage, namespace: string): Promise<Omit<Shop, "volume">> {
  const core = stage.kubernetes.makeApiClient(CoreV1Api);
  const apps = stage.kubernetes.makeApiClient(AppsV1Api);
  const { items } = await core.listNode();
  const instances = new Map(items.map((node) => [node.metadata?.name, instanceIdOf(node)]));

  const podsOf = async (app: string, replicas: number) => {
    const waiting = {
      what: `${replicas} running pods of ${namespace}/${app}`,
      limitMs: readyLimitMs,
    };
    return waitFor(waiting, async () => {
      const found = await core.listNamespacedPod({ namespace, labelSelector: `app=${app}` });
      const pods = found.items.flatMap((pod) => runningPod(pod, instances));
      return pods.length === replicas ? pods : undefined;
    });
  };
  const [checkout, frontend, database] = await Promise.all([
    apps.readNamespacedDeployment({ namespace, name: "checkout" }),
    apps.readNamespacedDeployment({ namespace, name: "frontend" }),
    apps.readNamespacedStatefulSet({ namespace, name: "database" }),
  ]);
  const uid = (object: typeof checkout | typeof database) => object.metadata?.uid ?? "";
  return {
    namespace,
    checkout: { name: "checkout", uid: uid(checkout), pods: await podsOf("checkout", 2) },
    frontend: { name: "frontend", uid: uid(frontend), pods: await podsOf("frontend", 1) },
    database: { name: "database", uid: uid(database), pods: await podsOf("database", 1) },
  };
}

/** The pod, or nothing while it is not running or is on its way out. */
function runningPod(pod: V1Pod, instances: Map<string | undefined, string>): ScenePod[] {
  const { metadata, status, spec } = pod;
  const container = status?.containerStatuses?.[0];
  const instanceId = instances.get(spec?.nodeName);
  if (status?.phase !== "Running" || metadata?.deletionTimestamp) return [];
  if (!metadata?.name || !metadata.uid || !status.podIP || !spec?.nodeName) return [];
  if (!container?.containerID || !instanceId) return [];
  return [
    {
      name: metadata.name,
      uid: metadata.uid,
      ip: status.podIP,
      container: container.name,
      containerId: container.containerID,
      image: container.image,
      node: spec.nodeName,
      instanceId,
    },
  ];
}

/** Attaches under a device name that the instance does not use yet, as shops share the nodes. */
async function attach(ec2: EC2Client, volumeId: string, instanceId: string): Promise<string> {
  const described = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [instanceId] }));
  const mappings = described.Reservations?.[0]?.Instances?.[0]?.BlockDeviceMappings ?? [];
  const used = new Set(mappings.map((mapping) => mapping.DeviceName));
  const letter = () => String.fromCharCode(97 + randomInt(26));
  let device: string;
  do {
    device = `/dev/xvd${letter()}${letter()}`;
  } while (used.has(device));
  await ec2.send(
    new AttachVolumeCommand({ VolumeId: volumeId, InstanceId: instanceId, Device: device }),
  );
  return device;
}
