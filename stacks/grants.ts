import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { StateName } from "../functions/contract.ts";

interface Resources {
  readonly bucketArn: string;
  readonly busArn: string;
  readonly clusterArn: string;
  readonly partition: string;
  readonly account: string;
  readonly region: string;
}

/**
 * What each function may do on AWS beyond running and logging. Evidence is written under the names
 * that the function owns and read where it goes on from; nobody may delete any of it.
 */
export function grantsOf(state: StateName, resources: Resources): readonly PolicyStatement[] {
  const { bucketArn, busArn, clusterArn, partition, account, region } = resources;
  const objects = (keys: readonly string[]) => keys.map((key) => `${bucketArn}/${key}`);
  const reads = (...keys: string[]) => allow(["s3:GetObject"], ...objects(keys));
  const writes = (...keys: string[]) => allow(["s3:PutObject", "s3:GetObject"], ...objects(keys));
  // Without it S3 answers 403 instead of 404 to a key that is not there.
  const seesAbsence = allow(["s3:ListBucket"], bucketArn);
  const ec2 = (owner: string, resource: string) =>
    `arn:${partition}:ec2:${region}:${owner}:${resource}/*`;

  switch (state) {
    case "Triage":
      return [];
    case "RecordIgnored":
      return [writes("ignored/*"), seesAbsence];
    case "OpenCase":
      return [writes("open/*", "cases/*", "runs/*/alert.json"), seesAbsence];
    case "Authenticate":
      return [
        writes("runs/*/authentication.json"),
        seesAbsence,
        allow(["eks:DescribeCluster"], clusterArn),
      ];
    case "SnapshotBefore":
      return [writes("runs/*/before.json", "runs/*/before-pods-*.json"), seesAbsence];
    case "ApplyPolicy":
      return [writes("runs/*/plan.json", "runs/*/policy.json"), seesAbsence];
    case "CompletePolicy":
      return [writes("runs/*/completion.json"), reads("runs/*/plan.json"), seesAbsence];
    case "SnapshotNodeEbs":
      return [
        writes("runs/*/node.json", "runs/*/volumes.json"),
        seesAbsence,
        // EC2's describe actions know no resource.
        allow(["ec2:DescribeInstances", "ec2:DescribeSnapshots"], "*"),
        allow(
          ["ec2:CreateSnapshot", "ec2:CreateSnapshots"],
          ec2(account, "instance"),
          ec2(account, "volume"),
          ec2("", "snapshot"), // a snapshot that is being made has no owner yet
        ),
        new PolicyStatement({
          actions: ["ec2:CreateTags"],
          resources: [ec2("", "snapshot")],
          // Tags only what it is just creating.
          conditions: {
            StringEquals: { "ec2:CreateAction": ["CreateSnapshot", "CreateSnapshots"] },
          },
        }),
      ];
    case "SnapshotAfter":
      return [
        writes("runs/*/after.json", "runs/*/after-pods-*.json"),
        reads("runs/*/plan.json", "runs/*/policy.json", "runs/*/completion.json"),
        seesAbsence,
      ];
    case "RecordRun":
      return [
        writes("runs/*/containment.json", "runs/*/audit.json", "runs/*/manifest.json"),
        allow(["s3:GetObject", "s3:GetObjectVersion"], `${bucketArn}/runs/*`),
        allow(["s3:ListBucket", "s3:ListBucketVersions"], bucketArn),
        // Markers are no evidence: a run that changed nothing frees its target.
        allow(["s3:GetObject", "s3:DeleteObject"], `${bucketArn}/open/*`),
        allow(["events:PutEvents"], busArn),
      ];
  }
}

function allow(actions: readonly string[], ...resources: readonly string[]): PolicyStatement {
  return new PolicyStatement({ actions: [...actions], resources: [...resources] });
}
