import { PermanentError } from "../errors.ts";
import { COPY_TAG } from "./forensic-copy.ts";
import type { LockSettings, Tags, Volumes } from "./volumes.ts";

/*
 * What runs in the forensic account: a copy of its own of a snapshot that another account shared.
 */

/** The tags of a copy that say of what it is one; by the first it is found again. */
export const SOURCE_TAGS = {
  snapshot: "SourceSnapshot",
  account: "SourceAccount",
  region: "SourceRegion",
} as const;

/** A snapshot that was shared, as the event of its account says. */
export interface SharedSnapshot {
  readonly snapshotId: string;
  /** Where it is: who sent the event, which EventBridge says and no sender chooses. */
  readonly account: string;
  readonly region: string;
  /** Its tags, which only its own account sees. */
  readonly tags: Tags;
}

export interface Copy {
  readonly snapshotId: string;
  /** `pending`, `completed` or `error`. */
  readonly state: string;
  /** What EC2 says of one that failed. */
  readonly message: string;
}

/**
 * Copies in this account and region. Errors: `AwsUnavailable`, `AwsThrottled` (also while 20 copies
 * are under way), `AwsDenied`, and `SnapshotRefused` for what EC2 will never copy.
 */
export interface Copies {
  /** Copies of that snapshot, failed ones included. */
  of(snapshotId: string): Promise<readonly Copy[]>;
  /** Begins a copy under this account's own key. */
  begin(shared: SharedSnapshot, tags: Tags): Promise<Copy>;
}

/**
 * Makes the copy of a shared snapshot where there is none yet, locks it, and looks how far it is.
 * Waiting is the workflow's: it asks again until `done`. A copy that failed ends the execution with
 * what EC2 says; each redrive makes one more, when the cause is gone.
 */
export async function copySnapshot(
  shared: SharedSnapshot & {
    /** How often the execution was redriven. */
    readonly redrives: number;
  },
  ports: {
    readonly copies: Copies;
    readonly volumes: Pick<Volumes, "locksOf" | "lock">;
    readonly lock: LockSettings;
  },
): Promise<{ readonly done: boolean; readonly copy: string }> {
  const { copies, volumes } = ports;
  const made = await copies.of(shared.snapshotId);
  const failed = made.filter(({ state }) => state === "error");
  const standing = made.find(({ state }) => state !== "error");
  const last = failed.at(-1);
  if (!standing && last && failed.length > shared.redrives) {
    throw new PermanentError(
      "SnapshotRefused",
      `${last.snapshotId}, the copy of ${shared.snapshotId} of account ${shared.account}, failed: ` +
        `${last.message || "EC2 does not say why"}. For an encrypted one look at the policy of its key ` +
        `(docs/deploy.md), then redrive.`,
    );
  }
  const copy = standing ?? (await copies.begin(shared, tagsOf(shared)));
  const locks = await volumes.locksOf([copy.snapshotId]);
  if (locks.length === 0) await volumes.lock(copy.snapshotId, ports.lock);
  return { done: copy.state === "completed", copy: copy.snapshotId };
}

/** Those of the source, case and all, and where it is. AWS takes back no tag of its own. */
function tagsOf({ snapshotId, account, region, tags }: SharedSnapshot): Tags {
  const kept = Object.entries(tags).filter(
    ([key]) => key !== COPY_TAG && !key.toLowerCase().startsWith("aws:"),
  );
  return {
    ...Object.fromEntries(kept),
    [SOURCE_TAGS.snapshot]: snapshotId,
    [SOURCE_TAGS.account]: account,
    [SOURCE_TAGS.region]: region,
  };
}
