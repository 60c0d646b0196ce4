/**
 * What the adapters call on AWS, against what they say that IAM must allow for it. The SDK itself
 * tells what was called; what a call needs is in AWS's service authorization reference.
 */
import { randomUUID } from "node:crypto";
import {
  AutoScalingClient,
  DescribeAutoScalingInstancesCommand,
} from "@aws-sdk/client-auto-scaling";
import { DescribeInstancesCommand, EC2Client } from "@aws-sdk/client-ec2";
import { DeleteObjectCommand } from "@aws-sdk/client-s3";
import { describe, expect, test } from "vitest";
import { ec2Instances, instanceStatements } from "../../adapters/aws/ec2-instances.ts";
import { ec2Volumes, volumeStatements } from "../../adapters/aws/ec2-volumes.ts";
import { clusterStatements, eksClusters } from "../../adapters/aws/eks-clusters.ts";
import { announcementStatements, eventBus } from "../../adapters/aws/event-bus.ts";
import { evidenceBucket, evidenceStatements } from "../../adapters/aws/evidence-bucket.ts";
import { awsIdentities, identityStatements } from "../../adapters/aws/identities.ts";
import type { Statement } from "../../adapters/aws/statement.ts";
import type { RunResult } from "../../core/evidence/record-run.ts";
import type { EvidenceStore } from "../../core/evidence/store.ts";
import type { Instances } from "../../core/node/instances.ts";
import { CASE_TAG, REASON, REASON_TAG, type Volumes } from "../../core/node/volumes.ts";
import { aws, deployment, s3, stage, store, writer } from "./harness.ts";

/** As the SDK logs a call, reduced to what decides about rights. */
interface Call {
  readonly commandName: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly error?: Error;
}

/** Every call that is made with the given settings, once it was answered. */
async function callsOf(act: (config: typeof aws) => Promise<unknown>): Promise<readonly Call[]> {
  const calls: Call[] = [];
  const keep = (call: Call) => void calls.push(call);
  const ignore = () => {};
  const logger = { info: keep, error: keep, debug: ignore, warn: ignore };
  await act(Object.assign({}, aws, { logger }));
  return calls;
}

const arns = { instance: "instance/*", volume: "volume/*", snapshot: "snapshot/*" };
const place = { bucketArn: "bucket", evidenceKeyArn: "key", s3Service: "s3.amazonaws.com" };

/** What IAM asks for at a call, as `action on resource`. */
function neededFor({ commandName, input, error }: Call): readonly string[] {
  const object = `bucket/${String(input.Key).split("/")[0]}/*`;
  const tagged = input.TagSpecifications ? [`ec2:CreateTags on ${arns.snapshot}`] : [];
  switch (commandName) {
    case "PutObjectCommand":
      return [`s3:PutObject on ${object}`, "kms:GenerateDataKey on key"];
    case "GetObjectCommand":
      if (error) return [`s3:GetObject on ${object}`, "s3:ListBucket on bucket"];
      return [`s3:GetObject${input.VersionId ? "Version" : ""} on ${object}`, "kms:Decrypt on key"];
    case "HeadObjectCommand":
      if (error) return [`s3:GetObject on ${object}`, "s3:ListBucket on bucket"];
      return [`s3:GetObject on ${object}`];
    case "GetObjectRetentionCommand":
      return [`s3:GetObjectRetention on ${object}`];
    case "ListObjectsV2Command":
      return ["s3:ListBucket on bucket"];
    case "ListObjectVersionsCommand":
      return ["s3:ListBucketVersions on bucket"];
    case "DeleteObjectCommand":
      return [
        `s3:DeleteObject on ${object}`,
        ...(input.IfMatch ? [`s3:GetObject on ${object}`] : []),
      ];
    case "DescribeInstancesCommand":
      return ["ec2:DescribeInstances on *"];
    case "DescribeInstanceAttributeCommand":
      return ["ec2:DescribeInstanceAttribute on *"];
    case "ModifyInstanceAttributeCommand":
      return [`ec2:ModifyInstanceAttribute on ${arns.instance}`];
    case "DescribeAutoScalingInstancesCommand":
      return ["autoscaling:DescribeAutoScalingInstances on *"];
    case "SetInstanceProtectionCommand":
      return ["autoscaling:SetInstanceProtection on groups"];
    case "DescribeLockedSnapshotsCommand":
      return ["ec2:DescribeLockedSnapshots on *"];
    case "LockSnapshotCommand":
      return [`ec2:LockSnapshot on ${arns.snapshot}`];
    case "DescribeSnapshotsCommand":
      return ["ec2:DescribeSnapshots on *"];
    case "CreateSnapshotsCommand":
      return [...Object.values(arns).map((arn) => `ec2:CreateSnapshots on ${arn}`), ...tagged];
    case "CreateSnapshotCommand":
      return [arns.volume, arns.snapshot]
        .map((arn) => `ec2:CreateSnapshot on ${arn}`)
        .concat(tagged);
    case "DescribeClusterCommand":
      return ["eks:DescribeCluster on cluster"];
    case "PutEventsCommand":
      return ["events:PutEvents on bus"];
    default:
      throw new Error(`nobody has said what IAM asks for at ${commandName}`);
  }
}

function expectExactly(calls: readonly Call[], statements: readonly Statement[]): void {
  const allowed = statements.flatMap(({ actions, resources }) =>
    actions.flatMap((action) =>
      resources.map(
        (arn) =>
          `${action} on ${arn.replace(/^arn:aws:ec2:[^/]*:|^arn:aws:autoscaling:.*$/, (of) => (of.includes("ec2") ? "" : "groups"))}`,
      ),
    ),
  );
  expect([...new Set(calls.flatMap(neededFor))].toSorted()).toEqual(
    [...new Set(allowed)].toSorted(),
  );
}

describe("the evidence bucket", () => {
  const name = () => `calls-${randomUUID()}`;
  const onBucket = (act: (bucket: EvidenceStore) => Promise<unknown>) =>
    callsOf((config) => act(evidenceBucket(deployment.evidenceBucket, config, writer)));

  test("is written to, and read where the key is taken", async () => {
    const calls = await onBucket(async (bucket) => {
      const key = `ignored/${name()}.json`;
      await bucket.putOnce(key, { a: 1 });
      await bucket.putOnce(key, { a: 2 });
    });

    expectExactly(calls, evidenceStatements({ writes: ["ignored/*"] }, place));
  });

  test("is read, and tells what is not there from what is kept from us", async () => {
    const key = `open/${name()}.json`;
    await store.putOnce(key, {});
    const calls = await onBucket(async (bucket) => {
      await bucket.read(key);
      await bucket.read(`open/${name()}.json`);
    });

    expectExactly(calls, evidenceStatements({ reads: ["open/*"] }, place));
  });

  test("is inspected under a prefix, version by version", async () => {
    const run = `runs/${name()}/`;
    await store.putOnce(`${run}alert.json`, {});
    const calls = await onBucket((bucket) => bucket.inspect(run));

    const statements = evidenceStatements({ inspects: ["runs/*"] }, place);
    expectExactly(calls, statements);
    const [listing] = calls.filter(({ commandName }) => commandName.startsWith("List"));
    expect(listing?.input.Prefix).toBe(run);
    expect(statements).toContainEqual(
      expect.objectContaining({ conditions: { StringLike: { "s3:prefix": ["runs/*"] } } }),
    );
  });

  test("is listed under a prefix, the first names first", async () => {
    const prefix = `brakes/${name()}/`;
    await store.putOnce(`${prefix}2.json`, {});
    await store.putOnce(`${prefix}1.json`, {});
    const calls = await onBucket(async (bucket) => {
      const [first, ...more] = await bucket.list(prefix, 1);
      expect(first?.key).toBe(`${prefix}1.json`);
      expect(Date.parse(first?.storedAt ?? "")).toBeGreaterThan(0);
      expect(more).toEqual([]);
    });

    expectExactly(calls, evidenceStatements({ lists: ["brakes/*"] }, place));
  });

  test("is freed of a marker", async () => {
    const { artefact } = await store.putOnce(`open/${name()}.json`, {});
    const calls = await onBucket(async (bucket) => {
      await bucket.free(artefact);
      await bucket.free(artefact); // it is gone
    });

    expectExactly(calls, evidenceStatements({ frees: ["open/*"] }, place));
  });

  test("keeps a marker that is no longer the one that was read", async () => {
    const key = `open/${name()}.json`;
    const first = await store.putOnce(key, { of: "the first case" });
    await store.free(first.artefact);
    await store.putOnce(key, { of: "the second" });
    await store.free(first.artefact);
    const now = await store.read(key);
    const unconditional = s3.send(
      new DeleteObjectCommand({
        Bucket: deployment.evidenceBucket,
        Key: key,
        IfMatch: '"another"',
      }),
    );

    await expect(unconditional).rejects.toMatchObject({ name: "PreconditionFailed" });
    expect(now?.document).toEqual({ of: "the second" });
  });
});

describe("EC2", async () => {
  // A node's instance: others, as the bastion's, are in no Auto Scaling group.
  const { AutoScalingInstances = [] } = await new AutoScalingClient(aws).send(
    new DescribeAutoScalingInstancesCommand({}),
  );
  const InstanceIds = AutoScalingInstances.slice(0, 1).flatMap(
    ({ InstanceId }) => InstanceId ?? [],
  );
  const { Reservations = [] } = await new EC2Client(aws).send(
    new DescribeInstancesCommand({ InstanceIds }),
  );
  const [instance] = Reservations.flatMap(({ Instances = [] }) => Instances);
  const instanceId = instance?.InstanceId ?? "";
  const volumeId = instance?.BlockDeviceMappings?.[0]?.Ebs?.VolumeId ?? "";
  const tags = { [CASE_TAG]: randomUUID(), [REASON_TAG]: REASON };
  const where = { partition: "aws", account: "1", region: "r" };
  const operations: Readonly<Record<keyof Volumes, (volumes: Volumes) => Promise<unknown>>> = {
    attachedTo: (volumes) => volumes.attachedTo([instanceId]),
    snapshotsOf: (volumes) => volumes.snapshotsOf("c-none"),
    snapshotInstance: (volumes) => volumes.snapshotInstance(instanceId, tags),
    snapshotVolume: (volumes) => volumes.snapshotVolume(volumeId, tags),
    locksOf: (volumes) => volumes.locksOf(["snap-0123456789abcdef0"]),
    async lock(volumes) {
      const { snapshotId } = await ec2Volumes(aws).snapshotVolume(volumeId, tags);
      await volumes.lock(snapshotId, { mode: "governance", retentionDays: 1 });
    },
  };

  test.each(Object.entries(operations))("is asked for %s", async (operation, act) => {
    const calls = await callsOf((config) => act(ec2Volumes(config)));

    expectExactly(calls, volumeStatements([operation as keyof Volumes], where));
  });

  const onInstances: Readonly<Record<keyof Instances, (instances: Instances) => Promise<unknown>>> =
    {
      lifecycleOf: (instances) => instances.lifecycleOf(instanceId),
      isProtectedFromTermination: (instances) => instances.isProtectedFromTermination(instanceId),
      groupOf: (instances) => instances.groupOf(instanceId),
      protectFromTermination: (instances) => instances.protectFromTermination(instanceId),
      async protectFromScaleIn(instances) {
        const membership = await ec2Instances(aws).groupOf(instanceId);
        await instances.protectFromScaleIn(membership?.group ?? "", instanceId);
      },
    };

  test.each(Object.entries(onInstances))(
    "is asked about instances for %s",
    async (operation, act) => {
      const calls = await callsOf((config) => act(ec2Instances(config)));

      expectExactly(calls, instanceStatements([operation as keyof Instances], where));
    },
  );
});

test("EKS is asked for the cluster", async () => {
  const calls = await callsOf((config) => eksClusters(config).describe(stage.clusterName));

  expectExactly(calls, clusterStatements(["describe"], { clusterArn: "cluster" }));
});

test("EC2 is asked for the instance profile, and for those who share it", async () => {
  const { Reservations = [] } = await new EC2Client(aws).send(new DescribeInstancesCommand({}));
  const [instance] = Reservations.flatMap(({ Instances = [] }) => Instances);
  const instanceId = instance?.InstanceId ?? "";
  const calls = await callsOf((config) => awsIdentities(config).instanceProfile(instanceId));

  expectExactly(calls, identityStatements(["instanceProfile"], { clusterArn: "cluster" }));
});

test("the bus is given one event, whose source and kind are the ones that are allowed", async () => {
  const result = { case: { id: "c-none", runId: "none" } } as RunResult;
  const manifest = { key: "none", sha256: "", size: 0, versionId: "" };
  const calls = await callsOf((config) =>
    eventBus(deployment.busName, config).containmentCompleted({ ...result, manifest }),
  );

  const statements = announcementStatements(["containmentCompleted"], { busArn: "bus" });
  expectExactly(calls, statements);
  const conditions = statements[0]?.conditions?.StringEquals ?? {};
  expect(calls[0]?.input.Entries).toMatchObject([
    { Source: conditions["events:source"], DetailType: conditions["events:detail-type"] },
  ]);
});
