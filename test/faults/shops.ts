/** Gives back what a cell used, so that the next one finds the stage as this one did. */
import { DeleteVolumeCommand, DetachVolumeCommand, EC2Client } from "@aws-sdk/client-ec2";
import { CoreV1Api } from "@kubernetes/client-node";
import type { Shop } from "../../local/scene.ts";
import { deleteClusterPolicies } from "../cluster-policies.ts";
import type { Place } from "./place.ts";

export async function closeShop({ namespace, volume }: Shop, place: Place): Promise<void> {
  const core = place.kubernetes.makeApiClient(CoreV1Api);
  await deleteClusterPolicies(place.kubernetes, new Set([namespace]));
  await core.deleteNamespace({ name: namespace });
  await core.deletePersistentVolume({ name: volume.persistentVolume });
  const ec2 = new EC2Client(place.aws);
  const { volumeId: VolumeId, instanceId: InstanceId, device: Device } = volume;
  await ec2.send(new DetachVolumeCommand({ VolumeId, InstanceId, Device }));
  await ec2.send(new DeleteVolumeCommand({ VolumeId }));
  ec2.destroy();
}
