import {
  CopySnapshotCommand,
  EC2Client,
  type EC2ClientConfig,
  paginateDescribeSnapshots,
} from "@aws-sdk/client-ec2";
import { type Copies, SOURCE_TAGS } from "../../core/node/copy-snapshot.ts";
import { REASON, REASON_TAG } from "../../core/node/volumes.ts";
import { collect, refusal, tagged } from "./ec2-volumes.ts";
import type { Statement } from "./statement.ts";

/** Copies of shared snapshots, through EC2 of the account and region that the copies are in. */
export function snapshotCopies(config: EC2ClientConfig, kmsKeyArn: string): Copies {
  // One attempt: a second CopySnapshot after a lost answer would make a second copy.
  const ec2 = new EC2Client({ ...config, maxAttempts: 1 });
  return {
    of(snapshotId) {
      const Filters = [{ Name: `tag:${SOURCE_TAGS.snapshot}`, Values: [snapshotId] }];
      return collect(
        paginateDescribeSnapshots({ client: ec2 }, { OwnerIds: ["self"], Filters }),
        ({ Snapshots = [] }) =>
          Snapshots.map(({ SnapshotId = "", State = "pending", StateMessage = "" }) => ({
            ...{ snapshotId: SnapshotId, state: State, message: StateMessage },
          })),
        `describe copies of ${snapshotId}`,
      );
    },

    async begin({ snapshotId, account, region }, tags) {
      try {
        const { SnapshotId = "" } = await ec2.send(
          // For an encrypted snapshot of another region the SDK adds the presigned URL itself.
          new CopySnapshotCommand({
            SourceRegion: region,
            SourceSnapshotId: snapshotId,
            Encrypted: true,
            KmsKeyId: kmsKeyArn,
            Description: `Copy of ${snapshotId} of account ${account}`,
            TagSpecifications: tagged(tags),
          }),
        );
        return { snapshotId: SnapshotId, state: "pending", message: "" };
      } catch (error) {
        throw refusal(error, `copy ${snapshotId} of account ${account} from ${region}`);
      }
    },
  };
}

/** What IAM must allow the function that copies. */
export function copyStatements({
  partition,
  region,
  keyArn,
  sources,
}: {
  readonly partition: string;
  /** Where the copies are made. */
  readonly region: string;
  /** The key that encrypts them. */
  readonly keyArn: string;
  /** Accounts whose snapshots are copied, from any region. */
  readonly sources: readonly string[];
}): readonly Statement[] {
  // Neither a snapshot that is made nor one that is shared has an owner in its ARN.
  const copies = [`arn:${partition}:ec2:${region}::snapshot/*`];
  const keys = [
    keyArn,
    ...sources.map((account) => `arn:${partition}:kms:*:${account}:key/*`), // if their policies let
  ];
  const throughEc2 = { StringLike: { "kms:ViaService": "ec2.*" } };
  return [
    { actions: ["ec2:DescribeSnapshots", "ec2:DescribeLockedSnapshots"], resources: ["*"] },
    { actions: ["ec2:CopySnapshot"], resources: [`arn:${partition}:ec2:*::snapshot/*`] },
    {
      actions: ["ec2:CreateTags"],
      resources: copies,
      conditions: { StringEquals: { "ec2:CreateAction": "CopySnapshot" } },
    },
    {
      actions: ["ec2:LockSnapshot"],
      resources: copies,
      conditions: { StringEquals: { [`aws:ResourceTag/${REASON_TAG}`]: REASON } },
    },
    {
      actions: [
        ...["kms:DescribeKey", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo"],
        ...["kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"],
      ],
      resources: keys,
      conditions: throughEc2,
    },
    {
      actions: ["kms:CreateGrant"], // EC2 works with a key through a grant of its own
      resources: keys,
      conditions: { ...throughEc2, Bool: { "kms:GrantIsForAWSResource": "true" } },
    },
  ];
}
