import { type Brake, brake } from "../brakes/brake.ts";
import { killSwitchBrake } from "../brakes/kill-switch.ts";
import { PermanentError, TransientError } from "../errors.ts";
import { artefactKey } from "../evidence/keys.ts";
import type { Announcements } from "../evidence/record-run.ts";
import type { NodeArtefact, VolumesArtefact } from "../evidence/schemas/preservation.ts";
import type { Artefact } from "../evidence/store.ts";
import type { ClusterFor, Needs, StoreFor } from "../needs.ts";
import { describeTarget } from "../target/target.ts";
import type { ForensicAccount } from "./forensic-copy.ts";
import {
  allVolumes,
  type ClaimRecord,
  LOCATE_READS,
  locateClaims,
  locateNodes,
  type NodeRecord,
} from "./locate-volumes.ts";
import { handedOn, messageOf, type NotPreserved } from "./not-preserved.ts";
import { byNode, targetPods, type UnderTarget } from "./target-pods.ts";
import {
  CASE_TAG,
  type LockSettings,
  REASON,
  REASON_TAG,
  type Snapshot,
  type SnapshotLock,
  type Tags,
  type Volumes,
} from "./volumes.ts";

export const SNAPSHOT_NODE_EBS_NEEDS = {
  kubernetes: { reads: ["pod", "podPages", ...LOCATE_READS] },
  evidence: { writes: ["runs/*/node.json", "runs/*/volumes.json"] },
  volumes: ["attachedTo", "snapshotsOf", "snapshotInstance", "snapshotVolume", "locksOf", "lock"],
  announcements: ["forensicCopiesRequested"],
} as const satisfies Needs;

/** Attempts after which a volume that EC2 still throttles is left out, so that the rest is recorded. */
const PATIENCE = 5;

type Ec2 = Pick<Volumes, (typeof SNAPSHOT_NODE_EBS_NEEDS)["volumes"][number]>;

/**
 * Preserves the disks under the target: pod to node to instance to volumes, and pod to claim to
 * volume, each in a snapshot tagged with the case and locked. Neither call of EC2 takes a client
 * token, so what this case already has is looked up first and only the rest is made. EC2's limits
 * are waited out by the workflow, which asks again. Where the settings name a forensic account, a copy
 * of each snapshot is asked for before the record is written. In audit mode nothing is made and the
 * volumes are listed.
 */
export async function snapshotNodeEbs(
  input: UnderTarget,
  ports: {
    readonly kubernetes: ClusterFor<typeof SNAPSHOT_NODE_EBS_NEEDS>;
    readonly volumes: Ec2;
    readonly store: StoreFor<typeof SNAPSHOT_NODE_EBS_NEEDS>;
    readonly announcements: Pick<Announcements, "forensicCopiesRequested">;
    readonly lock: LockSettings;
    /** Null: nothing is copied to another account. */
    readonly forensicAccount: ForensicAccount | null;
    readonly now: () => Date;
  },
): Promise<{
  readonly snapshots: number;
  readonly notPreserved: readonly NotPreserved[];
  readonly brakes: readonly Brake[];
  readonly artefacts: readonly Artefact[];
}> {
  const { kubernetes, volumes, store, now } = ports;
  const { target } = input;
  const { mode, brakes } = brake({ mode: input.mode, brakes: [] }, [
    killSwitchBrake(input.killSwitch, "snapshots of the volumes"),
  ]);
  const pods = await targetPods(target, input.uid, kubernetes);
  const located = await locateNodes(byNode(pods), kubernetes, volumes);
  const claimed = await locateClaims(pods, kubernetes);
  const notPreserved = [...located.notPreserved, ...claimed.notPreserved];
  if (pods.length === 0) {
    notPreserved.push({ what: describeTarget(target), reason: "no pod of it is there any more" });
  }
  const node = await store.putOnce<NodeArtefact>(artefactKey(input.case.runId, "node.json"), {
    capturedAt: now().toISOString(),
    nodes: located.found,
    claims: claimed.found,
  });
  // What was found first: a volume that was detached between two attempts is not forgotten.
  const { nodes, claims } = node.document;
  const attempts = new Attempts(notPreserved, input.attempt < PATIENCE);
  const snapshots =
    mode === "audit" ? [] : await ensureSnapshots(input, nodes, claims, volumes, attempts);
  const locks = await ensureLocks(snapshots, ports.lock, volumes, attempts);
  attempts.throwWhatMayHeal();
  const forensicCopy = await askForCopies(input.case.id, snapshots, ports, attempts);
  attempts.throwWhatMayHeal();
  const stored = await store.putOnce<VolumesArtefact>(
    artefactKey(input.case.runId, "volumes.json"),
    {
      capturedAt: now().toISOString(),
      mode,
      volumeIds: allVolumes(nodes, claims),
      snapshots,
      locks,
      forensicCopy,
      notPreserved,
    },
  );
  return {
    snapshots: stored.document.snapshots.length,
    notPreserved: handedOn(stored.document.notPreserved, "volumes.json"),
    brakes,
    artefacts: [node.artefact, stored.artefact],
  };
}

/** Tries each call, so that one that fails costs none of the others. */
class Attempts {
  readonly #notPreserved: NotPreserved[];
  readonly #patient: boolean;
  #mayHeal: TransientError | null = null;

  constructor(notPreserved: NotPreserved[], patient: boolean) {
    this.#notPreserved = notPreserved;
    this.#patient = patient;
  }

  /** `failed`: written down, for good. `later`: may heal, and the whole state is to be tried again. */
  async at<T>(what: string, act: () => Promise<T>): Promise<T | "failed" | "later"> {
    try {
      return await act();
    } catch (error) {
      if (error instanceof TransientError && this.#patient) {
        this.#mayHeal ??= error;
        return "later";
      }
      if (!(error instanceof TransientError || error instanceof PermanentError)) throw error;
      this.#notPreserved.push({ what, reason: messageOf(error) });
      return "failed";
    }
  }

  throwWhatMayHeal(): void {
    if (this.#mayHeal) throw this.#mayHeal;
  }
}

async function ensureSnapshots(
  input: UnderTarget,
  nodes: readonly NodeRecord[],
  claims: readonly ClaimRecord[],
  volumes: Ec2,
  attempts: Attempts,
): Promise<readonly Snapshot[]> {
  const { target } = input;
  const tags: Tags = {
    [CASE_TAG]: input.case.id,
    [REASON_TAG]: REASON,
    Cluster: target.cluster,
    Namespace: target.namespace,
  };
  const made = [...(await volumes.snapshotsOf(input.case.id))];
  const isMade = (volumeId: string) =>
    made.some((snapshot) => snapshot.volumeId === volumeId && snapshot.state !== "error");
  const awaited = new Set<string>();
  for (const { node, instanceId, volumeIds, pods } of nodes) {
    if (instanceId === null || volumeIds.length === 0 || volumeIds.some(isMade)) continue;
    const set = await attempts.at(instanceId, () =>
      volumes.snapshotInstance(instanceId, { ...tags, Node: node, Pod: podTag(pods) }),
    );
    // While the set may still come it is waited for: single snapshots are not of one moment.
    if (set === "later") volumeIds.forEach((volumeId) => void awaited.add(volumeId));
    else if (set !== "failed") made.push(...set);
  }
  const left = allVolumes(nodes, claims).filter((each) => !isMade(each) && !awaited.has(each));
  for (const volumeId of left) {
    const on = nodes.find(({ volumeIds }) => volumeIds.includes(volumeId));
    const users = claims.filter((claim) => claim.volumeId === volumeId).map(({ pod }) => pod);
    const snapshot = await attempts.at(volumeId, () =>
      volumes.snapshotVolume(volumeId, {
        ...tags,
        ...(on && { Node: on.node }),
        Pod: podTag(on?.pods ?? users),
        Volume: volumeId,
      }),
    );
    if (typeof snapshot !== "string") made.push(snapshot);
  }
  return made;
}

/** Names of pods in a tag's 256 characters; all of them are in node.json. */
function podTag(pods: readonly string[]): string {
  return pods.join(" ").slice(0, 256);
}

/** Locks what is not locked yet: locking again would begin the retention anew. */
async function ensureLocks(
  snapshots: readonly Snapshot[],
  settings: LockSettings,
  volumes: Ec2,
  attempts: Attempts,
): Promise<readonly SnapshotLock[]> {
  const ids = snapshots
    .filter(({ state }) => state !== "error")
    .map(({ snapshotId }) => snapshotId);
  if (ids.length === 0) return [];
  const locks = async () => {
    const read = await attempts.at("locks of snapshots", () => volumes.locksOf(ids));
    return typeof read === "string" ? [] : read;
  };
  const locked = new Set((await locks()).map(({ snapshotId }) => snapshotId));
  for (const id of ids.filter((each) => !locked.has(each))) {
    await attempts.at(`lock of ${id}`, () => volumes.lock(id, settings));
  }
  return locks();
}

/** Asks again for what was asked for before: the forensic account copies nothing twice. */
async function askForCopies(
  caseId: string,
  snapshots: readonly Snapshot[],
  ports: {
    readonly announcements: Pick<Announcements, "forensicCopiesRequested">;
    readonly forensicAccount: ForensicAccount | null;
  },
  attempts: Attempts,
): Promise<VolumesArtefact["forensicCopy"]> {
  const { announcements, forensicAccount } = ports;
  const askedFor = snapshots
    .filter(({ state }) => state !== "error")
    .map(({ snapshotId }) => snapshotId);
  if (forensicAccount === null || askedFor.length === 0) return null;
  const { accountId, region } = forensicAccount;
  const outcome = await attempts.at(`copies to account ${accountId} in ${region}`, async () => {
    await announcements.forensicCopiesRequested(
      askedFor.map((snapshotId) => ({ snapshotId, caseId })),
    );
  });
  return outcome === "failed" ? null : { accountId, region, askedFor };
}
