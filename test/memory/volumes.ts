import {
  CASE_TAG,
  type Snapshot,
  type Tags,
  type Volumes,
} from "../../core/node/snapshot-node-ebs.ts";

/** EBS without EC2, for unit tests. */
export interface MemoryVolumes extends Volumes {
  readonly snapshots: (Snapshot & { readonly tags: Tags })[];
}

export function memoryVolumes(
  attached: Readonly<Record<string, readonly string[]>>,
): MemoryVolumes {
  const snapshots: MemoryVolumes["snapshots"] = [];
  const make = (volumeId: string, tags: Tags): Snapshot => {
    const snapshot = { snapshotId: `snap-${snapshots.length}`, volumeId, state: "pending" };
    snapshots.push({ ...snapshot, tags });
    return snapshot;
  };
  return {
    snapshots,
    attachedTo: async (ids) =>
      new Map(ids.flatMap((id) => (attached[id] ? [[id, attached[id]] as const] : []))),
    snapshotsOf: async (caseId) =>
      snapshots
        .filter(({ tags }) => tags[CASE_TAG] === caseId)
        .map(({ tags: _, ...snapshot }) => snapshot),
    snapshotInstance: async (id, tags) => (attached[id] ?? []).map((volume) => make(volume, tags)),
    snapshotVolume: async (volumeId, tags) => make(volumeId, tags),
  };
}
