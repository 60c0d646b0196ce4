import {
  CreateSnapshotCommand,
  CreateSnapshotsCommand,
  DescribeLockedSnapshotsCommand,
  EC2Client,
  type EC2ClientConfig,
  type Instance,
  type LockedSnapshotsInfo,
  LockSnapshotCommand,
  paginateDescribeInstances,
  paginateDescribeSnapshots,
  type Tag,
  type TagSpecification,
} from "@aws-sdk/client-ec2";
import { PermanentError, TransientError } from "../../core/errors.ts";
import { COPY_TAG } from "../../core/node/forensic-copy.ts";
import {
  CASE_TAG,
  REASON,
  REASON_TAG,
  type Snapshot,
  type SnapshotLock,
  type Tags,
  type Volumes,
} from "../../core/node/volumes.ts";
import { translate } from "./errors.ts";
import type { Statement } from "./statement.ts";

/** EBS volumes and their snapshots, through EC2. */
export function ec2Volumes(config: EC2ClientConfig): Volumes {
  // One attempt: a second CreateSnapshot after a lost answer would make a second snapshot. The
  // workflow tries again, and looks first for what there is.
  const ec2 = new EC2Client({ ...config, maxAttempts: 1 });
  const client = { client: ec2 };
  return {
    async attachedTo(instanceIds) {
      if (instanceIds.length === 0) return new Map();
      // A filter instead of InstanceIds: one terminated instance must not fail the whole call.
      const Filters = [{ Name: "instance-id", Values: [...instanceIds] }];
      const instances = await collect(
        paginateDescribeInstances(client, { Filters }),
        ({ Reservations = [] }) => Reservations.flatMap(({ Instances = [] }) => Instances),
        `describe instances ${instanceIds.join(", ")}`,
      );
      return new Map(instances.map((instance) => [instance.InstanceId ?? "", volumesOf(instance)]));
    },

    snapshotsOf(caseId) {
      const Filters = [{ Name: `tag:${CASE_TAG}`, Values: [caseId] }];
      return collect(
        paginateDescribeSnapshots(client, { OwnerIds: ["self"], Filters }),
        ({ Snapshots = [] }) => Snapshots.map(toSnapshot),
        `describe snapshots of case ${caseId}`,
      );
    },

    async snapshotInstance(instanceId, tags) {
      try {
        const { Snapshots = [] } = await ec2.send(
          new CreateSnapshotsCommand({
            InstanceSpecification: { InstanceId: instanceId },
            Description: describe(tags),
            TagSpecifications: tagged(tags),
          }),
        );
        return Snapshots.map(toSnapshot);
      } catch (error) {
        throw refusal(error, `snapshot the volumes of instance ${instanceId}`);
      }
    },

    async snapshotVolume(volumeId, tags) {
      try {
        const snapshot = await ec2.send(
          new CreateSnapshotCommand({
            VolumeId: volumeId,
            Description: describe(tags),
            TagSpecifications: tagged(tags),
          }),
        );
        return toSnapshot(snapshot);
      } catch (error) {
        throw refusal(error, `snapshot volume ${volumeId}`);
      }
    },

    async locksOf(snapshotIds) {
      const locks: SnapshotLock[] = [];
      let NextToken: string | undefined;
      try {
        do {
          const SnapshotIds = [...snapshotIds];
          const page = await ec2.send(
            new DescribeLockedSnapshotsCommand({ SnapshotIds, NextToken }),
          );
          locks.push(...(page.Snapshots ?? []).map(toLock));
          NextToken = page.NextToken;
        } while (NextToken);
        return locks;
      } catch (error) {
        throw refusal(error, `describe the locks of ${snapshotIds.join(", ")}`);
      }
    },

    async lock(snapshotId, { mode, retentionDays }) {
      try {
        await ec2.send(
          // Without a cooling-off period: governance knows none, and compliance was asked for.
          new LockSnapshotCommand({
            SnapshotId: snapshotId,
            LockMode: mode,
            LockDuration: retentionDays,
          }),
        );
      } catch (error) {
        throw refusal(error, `lock snapshot ${snapshotId}`);
      }
    },
  };
}

/** Where the volumes are. */
export interface VolumesPlace {
  readonly partition: string;
  readonly account: string;
  readonly region: string;
}

/** What IAM must allow for these operations. */
export function volumeStatements(
  operations: readonly (keyof Volumes)[],
  { partition, account, region }: VolumesPlace,
): readonly Statement[] {
  const all = (kind: string, owner: string) => `arn:${partition}:ec2:${region}:${owner}:${kind}/*`;
  const instances = all("instance", account);
  const volumes = all("volume", account);
  const snapshots = all("snapshot", ""); // one that is being made has no owner yet
  /** Tags only what it is just creating. */
  const tags = (by: string): Statement => ({
    actions: ["ec2:CreateTags"],
    resources: [snapshots],
    conditions: { StringEquals: { "ec2:CreateAction": by } },
  });
  const statements: Readonly<Record<keyof Volumes, readonly Statement[]>> = {
    // Describe actions know no resource.
    attachedTo: [{ actions: ["ec2:DescribeInstances"], resources: ["*"] }],
    snapshotsOf: [{ actions: ["ec2:DescribeSnapshots"], resources: ["*"] }],
    snapshotInstance: [
      { actions: ["ec2:CreateSnapshots"], resources: [instances, volumes, snapshots] },
      tags("CreateSnapshots"),
    ],
    snapshotVolume: [
      { actions: ["ec2:CreateSnapshot"], resources: [volumes, snapshots] },
      tags("CreateSnapshot"),
    ],
    locksOf: [{ actions: ["ec2:DescribeLockedSnapshots"], resources: ["*"] }],
    lock: [
      {
        actions: ["ec2:LockSnapshot"],
        resources: [snapshots],
        conditions: { StringEquals: { [`aws:ResourceTag/${REASON_TAG}`]: REASON } },
      },
    ],
  };
  return operations.flatMap((operation) => statements[operation]);
}

/**
 * The error of a call of EC2 as one of ours. What is neither throttled nor denied nor unavailable, EC2 will not do however often it is asked;
 * nor what the account's own quota of snapshots forbids, though it is called a limit too.
 */
export function refusal(error: unknown, what: string): unknown {
  const full = error instanceof Error && error.name === "SnapshotLimitExceeded";
  const translated = full ? error : translate(error, what);
  if (translated instanceof TransientError || translated instanceof PermanentError) {
    return translated;
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new PermanentError("SnapshotRefused", `${what}: ${message}`, { cause: error });
}

export async function collect<Page, Item>(
  pages: AsyncIterable<Page>,
  itemsOf: (page: Page) => readonly Item[],
  what: string,
): Promise<Item[]> {
  const items: Item[] = [];
  try {
    for await (const page of pages) items.push(...itemsOf(page));
  } catch (error) {
    throw translate(error, what);
  }
  return items;
}

function volumesOf(instance: Instance): readonly string[] {
  return (instance.BlockDeviceMappings ?? []).flatMap(({ Ebs }) => Ebs?.VolumeId ?? []);
}

/** CreateSnapshot and DescribeSnapshots say `State`; SDK shapes agree on the fields we keep. */
function toSnapshot(snapshot: {
  SnapshotId?: string | undefined;
  VolumeId?: string | undefined;
  State?: string | undefined;
  Encrypted?: boolean | undefined;
  KmsKeyId?: string | undefined;
  Tags?: Tag[] | undefined;
}): Snapshot {
  const {
    SnapshotId: snapshotId = "",
    VolumeId: volumeId = "",
    State: state = "pending",
  } = snapshot;
  // CreateSnapshots says that it is encrypted, not by which key.
  const kmsKeyId = snapshot.KmsKeyId ?? (snapshot.Encrypted ? "unknown" : null);
  const forensicCopy = snapshot.Tags?.find(({ Key }) => Key === COPY_TAG)?.Value ?? null;
  return { snapshotId, volumeId, state, kmsKeyId, forensicCopy };
}

function toLock({ SnapshotId, LockState, LockExpiresOn }: LockedSnapshotsInfo): SnapshotLock {
  return {
    snapshotId: SnapshotId ?? "",
    state: LockState ?? "",
    expiresAt: LockExpiresOn?.toISOString() ?? null,
  };
}

function describe(tags: Tags): string {
  return `Automated containment, case ${tags[CASE_TAG]}`;
}

export function tagged(tags: Tags): TagSpecification[] {
  const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  return [{ ResourceType: "snapshot", Tags }];
}
