import {
  CASE_TAG,
  type Snapshot,
  type SnapshotLock,
  type Tags,
  type Volumes,
} from "../../core/node/volumes.ts";

/** EBS without EC2, for unit tests. */
export interface MemoryVolumes extends Volumes {
  readonly snapshots: (Snapshot & { readonly tags: Tags })[];
  readonly locks: SnapshotLock[];
  /** From now on every snapshot has this state. */
  become(state: string): void;
}

export function memoryVolumes(
  attached: Readonly<Record<string, readonly string[]>>,
): MemoryVolumes {
  const snapshots: MemoryVolumes["snapshots"] = [];
  const locks: SnapshotLock[] = [];
  const make = (volumeId: string, tags: Tags): Snapshot => {
    const snapshotId = `snap-${snapshots.length}`;
    const snapshot = { snapshotId, volumeId, state: "pending", kmsKeyId: null, forensicCopy: null };
    snapshots.push({ ...snapshot, tags });
    return snapshot;
  };
  return {
    ...{ snapshots, locks },
    become(state) {
      snapshots.splice(0, snapshots.length, ...snapshots.map((each) => ({ ...each, state })));
    },
    attachedTo: async (ids) =>
      new Map(ids.flatMap((id) => (attached[id] ? [[id, attached[id]] as const] : []))),
    snapshotsOf: async (caseId) =>
      snapshots
        .filter(({ tags }) => tags[CASE_TAG] === caseId)
        .map(({ tags: _, ...snapshot }) => snapshot),
    snapshotInstance: async (id, tags) => (attached[id] ?? []).map((volume) => make(volume, tags)),
    snapshotVolume: async (volumeId, tags) => make(volumeId, tags),
    locksOf: async (ids) => locks.filter(({ snapshotId }) => ids.includes(snapshotId)),
    async lock(snapshotId, { mode }) {
      locks.push({ snapshotId, state: mode, expiresAt: null });
    },
  };
}
