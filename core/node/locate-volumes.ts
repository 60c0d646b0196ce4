import type { InTreeVolume, Pod } from "../kubernetes.ts";
import type { ClusterFor } from "../needs.ts";
import type { NotPreserved } from "./not-preserved.ts";
import { machineOf } from "./provider-id.ts";
import type { Volumes } from "./volumes.ts";

/** What leads from pods to volumes. */
export const LOCATE_READS = ["node", "persistentVolumeClaim", "persistentVolume"] as const;

type Cluster = ClusterFor<{ readonly kubernetes: { readonly reads: typeof LOCATE_READS } }>;

export interface NodeRecord {
  readonly node: string;
  readonly instanceId: string | null;
  readonly pods: readonly string[];
  readonly volumeIds: readonly string[];
}

export interface ClaimRecord {
  readonly pod: string;
  /** The claim's name, or the volume's name in the pod where it has none. */
  readonly claim: string;
  readonly volumeId: string;
}

interface Found<T> {
  readonly found: readonly T[];
  readonly notPreserved: readonly NotPreserved[];
}

/** The instances under the pods, and the EBS volumes that are attached to them. */
export async function locateNodes(
  podsOnNode: ReadonlyMap<string, readonly Pod[]>,
  kubernetes: Pick<Cluster, "node">,
  volumes: Pick<Volumes, "attachedTo">,
): Promise<Found<NodeRecord>> {
  const notPreserved: NotPreserved[] = [];
  const located: Omit<NodeRecord, "volumeIds">[] = [];
  for (const [name, onNode] of podsOnNode) {
    const names = onNode.map((pod) => pod.metadata.name);
    if (name === "") {
      notPreserved.push({ what: names.join(", "), reason: "not scheduled to a node" });
      continue;
    }
    const node = await kubernetes.node(name);
    const machine = node
      ? machineOf(node.spec.providerID)
      : { kind: "none" as const, reason: "the node is gone from the cluster" };
    if (machine.kind === "none") notPreserved.push({ what: name, reason: machine.reason });
    const instanceId = machine.kind === "instance" ? machine.instanceId : null;
    located.push({ node: name, instanceId, pods: names });
  }
  const instanceIds = located.flatMap(({ instanceId }) => instanceId ?? []);
  const attached = await volumes.attachedTo(instanceIds);
  const found = located.map((node) => {
    const volumeIds = node.instanceId === null ? [] : attached.get(node.instanceId);
    const { node: what, instanceId } = node;
    if (!volumeIds) {
      notPreserved.push({ what, reason: `EC2 knows no such instance: ${instanceId}` });
    } else if (instanceId !== null && volumeIds.length === 0) {
      notPreserved.push({ what, reason: `no EBS volume is attached to ${instanceId} (any more)` });
    }
    return { ...node, volumeIds: volumeIds ?? [] };
  });
  return { found, notPreserved };
}

/** The EBS volumes behind the pods' claims, and those that pods name themselves. */
export async function locateClaims(
  pods: readonly Pod[],
  kubernetes: Pick<Cluster, "persistentVolumeClaim" | "persistentVolume">,
): Promise<Found<ClaimRecord>> {
  const found: ClaimRecord[] = [];
  const notPreserved: NotPreserved[] = [];
  for (const { metadata, spec } of pods) {
    for (const volume of spec.volumes ?? []) {
      const own = volume.ephemeral === undefined ? undefined : `${metadata.name}-${volume.name}`;
      const claim = volume.persistentVolumeClaim?.claimName ?? own;
      if (claim === undefined && !volume.awsElasticBlockStore) continue;
      const volumeId =
        claim === undefined
          ? inTreeVolumeId(volume.awsElasticBlockStore)
          : await volumeBehind(metadata.namespace ?? "", claim);
      if (volumeId) {
        found.push({ pod: metadata.name, claim: claim ?? volume.name, volumeId });
      } else {
        const what = claim === undefined ? `volume ${volume.name}` : `claim ${claim}`;
        notPreserved.push({ what, reason: "not bound to an EBS volume" });
      }
    }
  }
  return { found, notPreserved };

  async function volumeBehind(namespace: string, claim: string): Promise<string | undefined> {
    const bound = await kubernetes.persistentVolumeClaim(namespace, claim);
    const name = bound?.spec.volumeName;
    const { csi, awsElasticBlockStore } =
      (name ? await kubernetes.persistentVolume(name) : null)?.spec ?? {};
    if (csi?.driver === "ebs.csi.aws.com") return volumeIdIn(csi.volumeHandle);
    return inTreeVolumeId(awsElasticBlockStore);
  }
}

function inTreeVolumeId(volume: InTreeVolume | undefined): string | undefined {
  return volume && volumeIdIn(volume.volumeID.slice(volume.volumeID.lastIndexOf("/") + 1));
}

/** A handle that names no volume of EBS could name anything else in a call of EC2. */
function volumeIdIn(handle: string): string | undefined {
  return /^vol-[0-9a-z]+$/.test(handle) ? handle : undefined;
}

/** Every volume once, those of nodes first. */
export function allVolumes(
  nodes: readonly NodeRecord[],
  claims: readonly ClaimRecord[],
): readonly string[] {
  const onNodes = nodes.flatMap(({ volumeIds }) => volumeIds);
  return [...new Set([...onNodes, ...claims.map(({ volumeId }) => volumeId)])];
}
