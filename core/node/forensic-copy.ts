/** The account, not this one, that is given copies of the stage's snapshots. */
export interface ForensicAccount {
  readonly accountId: string;
  readonly region: string;
}

/** A snapshot of which the forensic account is to make a copy. */
export interface ForensicCopyRequest {
  readonly snapshotId: string;
  readonly caseId: string;
}

/**
 * The tag of a snapshot that tells what became of the request: `shared with …`, or `not shared: …` and
 * why. Written by the state machine that waits for the snapshot (workflows/share-snapshot.asl.json).
 */
export const COPY_TAG = "ForensicCopy";

/** Whether that text says that there will be no copy. */
export function isRefused(forensicCopy: string | null): boolean {
  return forensicCopy?.startsWith("not shared") ?? false;
}
