export interface Snapshot {
  readonly snapshotId: string;
  readonly volumeId: string;
  /** `pending`, `completed`, `error`, `recoverable` or `recovering`. */
  readonly state: string;
  /** The KMS key that encrypts it; null: not encrypted. */
  readonly kmsKeyId: string | null;
  /** What became of its copy to the forensic account, as its tag says; null: nothing yet. */
  readonly forensicCopy: string | null;
}

export interface SnapshotLock {
  readonly snapshotId: string;
  /** `governance`, `compliance` or `compliance-cooloff`. */
  readonly state: string;
  /** RFC 3339 in UTC; null while the snapshot is pending: the duration begins when it completes. */
  readonly expiresAt: string | null;
}

/** How snapshots are locked: like the evidence bucket. */
export interface LockSettings {
  readonly mode: "governance" | "compliance";
  readonly retentionDays: number;
}

export type Tags = Readonly<Record<string, string>>;

/** The tags by which an investigator finds a snapshot, and by which it is never made twice. */
export const CASE_TAG = "CaseID";
/** The tag that says why a snapshot was made; only such snapshots may be locked. */
export const REASON_TAG = "Reason";
export const REASON = "Automated_Containment";

/**
 * EC2 as far as snapshots need it. Errors: `AwsUnavailable`, `AwsThrottled` (also EC2's own limit on
 * snapshots of one volume: wait 15 s), `AwsDenied`, and `SnapshotRefused` for what EC2 will never
 * snapshot or lock.
 */
export interface Volumes {
  /** EBS volumes of each instance that exists, in the order of its device mappings. */
  attachedTo(instanceIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Snapshots that carry the case's tag. */
  snapshotsOf(caseId: string): Promise<readonly Snapshot[]>;
  /** One crash-consistent set over all volumes of the instance. */
  snapshotInstance(instanceId: string, tags: Tags): Promise<readonly Snapshot[]>;
  snapshotVolume(volumeId: string, tags: Tags): Promise<Snapshot>;
  /** The locks of those that are locked. */
  locksOf(snapshotIds: readonly string[]): Promise<readonly SnapshotLock[]>;
  /** Locks a pending or completed snapshot; nobody can delete it until the lock expires. */
  lock(snapshotId: string, settings: LockSettings): Promise<void>;
}
