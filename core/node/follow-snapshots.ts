import type { CaseRef } from "../case/case.ts";
import { PermanentError } from "../errors.ts";
import { artefactKey } from "../evidence/keys.ts";
import type { Snapshots } from "../evidence/schemas/preservation.ts";
import type { Artefact } from "../evidence/store.ts";
import type { Needs, StoreFor } from "../needs.ts";
import { isRefused } from "./forensic-copy.ts";
import { handedOn, messageOf, type NotPreserved } from "./not-preserved.ts";
import type { Snapshot, SnapshotLock, Volumes } from "./volumes.ts";

export const FOLLOW_SNAPSHOTS_NEEDS = {
  evidence: { writes: ["runs/*/snapshots.json"] },
  volumes: ["snapshotsOf", "locksOf"],
} as const satisfies Needs;

/**
 * Looks once how far the case's snapshots have come. Waiting is the workflow's: it asks again until
 * `done`, which is when all have ended or the bound is over. A run does not wait for a large volume:
 * what is `pending` then is kept by its lock, and EC2 tells its state at any time later.
 */
export async function followSnapshots(
  input: {
    readonly case: CaseRef;
    /** Since when they are followed, RFC 3339 in UTC; null at the first look. */
    readonly since: string | null;
  },
  ports: {
    readonly volumes: Pick<Volumes, "snapshotsOf" | "locksOf">;
    readonly store: StoreFor<typeof FOLLOW_SNAPSHOTS_NEEDS>;
    /** Seconds for which they are followed. */
    readonly bound: number;
    readonly now: () => Date;
  },
): Promise<{
  readonly done: boolean;
  readonly since: string;
  readonly notPreserved: readonly NotPreserved[];
  readonly artefacts: readonly Artefact[];
}> {
  const { volumes, store, bound, now } = ports;
  const lookedAt = now();
  const since = input.since ?? lookedAt.toISOString();
  const overdue = lookedAt.getTime() - Date.parse(since) >= bound * 1_000;
  const snapshots = await volumes.snapshotsOf(input.case.id);
  const ended = snapshots.every(({ state }) => state !== "pending" && state !== "recovering");
  if (!ended && !overdue) return { done: false, since, notPreserved: [], artefacts: [] };
  const locks = await readLocks(snapshots, volumes);
  const notPreserved = snapshots.flatMap((snapshot) => shortOf(snapshot, locks.found));
  if (locks.refused !== null) notPreserved.push({ what: "locks", reason: locks.refused });
  const stored = await store.putOnce<Snapshots>(artefactKey(input.case.runId, "snapshots.json"), {
    capturedAt: lookedAt.toISOString(),
    followedSince: since,
    snapshots: snapshots.map((snapshot) => ({ ...snapshot, sharing: sharingOf(snapshot) })),
    locks: locks.found,
    notPreserved,
  });
  return {
    done: true,
    since,
    notPreserved: handedOn(stored.document.notPreserved, "snapshots.json"),
    artefacts: [stored.artefact],
  };
}

async function readLocks(
  snapshots: readonly Snapshot[],
  volumes: Pick<Volumes, "locksOf">,
): Promise<{ readonly found: readonly SnapshotLock[]; readonly refused: string | null }> {
  if (snapshots.length === 0) return { found: [], refused: null };
  try {
    const found = await volumes.locksOf(snapshots.map(({ snapshotId }) => snapshotId));
    return { found, refused: null };
  } catch (error) {
    if (!(error instanceof PermanentError)) throw error;
    return { found: [], refused: messageOf(error) };
  }
}

/** What keeps a snapshot from being complete evidence that nobody can delete. */
function shortOf(
  { snapshotId, volumeId, state, forensicCopy }: Snapshot,
  locks: readonly SnapshotLock[],
): NotPreserved[] {
  const what = `${snapshotId} of ${volumeId}`;
  const locked = locks.some((lock) => lock.snapshotId === snapshotId);
  const reasons = [
    ...(state === "completed" ? [] : [`its state is ${state}: look again before relying on it`]),
    ...(locked || state === "error" ? [] : ["it is not locked: whoever may delete snapshots can"]),
    ...(isRefused(forensicCopy) ? [`no copy in the forensic account: ${forensicCopy}`] : []),
  ];
  return reasons.map((reason) => ({ what, reason }));
}

/** Whether another account can be given it. Which key is AWS's own is not seen without KMS. */
function sharingOf({ kmsKeyId }: Snapshot): string {
  if (kmsKeyId === null) return "not encrypted: it can be shared with a forensic account";
  return (
    "encrypted: it can be shared if its key is a customer managed one whose policy admits the " +
    "forensic account; with the account's default key aws/ebs it never can: copy it under another key first"
  );
}
