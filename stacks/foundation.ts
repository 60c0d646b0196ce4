import { Duration, RemovalPolicy } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import * as kms from "aws-cdk-lib/aws-kms";
import * as s3 from "aws-cdk-lib/aws-s3";
import type { StackContext } from "sst/constructs";
import { settingsFor } from "../stages.ts";
import { accept } from "./accepted-findings.ts";
import { namesThere } from "./forensic-names.ts";

/**
 * What every other stack stands on: the key that encrypts all that the stage keeps beside evidence
 * (logs, notifications, the cluster's secrets and disks), and the bucket that logs who touches the
 * other buckets.
 */
export function foundation({ stack, app }: StackContext) {
  const key = new kms.Key(stack, "Key", {
    description: "Logs, notifications, cluster secrets and disks of the containment stage",
    enableKeyRotation: true,
    pendingWindow: Duration.days(30), // logs that outlive the stage stay readable that long
    removalPolicy: RemovalPolicy.DESTROY,
  });
  for (const statement of servicesThatUse(stack)) key.addToResourcePolicy(statement);
  for (const statement of forensicCopier(stack, app)) key.addToResourcePolicy(statement);

  const accessLogs = new s3.Bucket(stack, "AccessLogs", {
    encryption: s3.BucketEncryption.S3_MANAGED, // S3 delivers access logs to no bucket with a key of ours
    enforceSSL: true,
    versioned: true,
    blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
    objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
    lifecycleRules: [
      { expiration: Duration.days(400), noncurrentVersionExpiration: Duration.days(1) },
    ],
    removalPolicy: RemovalPolicy.RETAIN, // who read evidence is evidence too
  });
  accessLogs.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: "DeliveryOfAccessLogs",
      principals: [new iam.ServicePrincipal("logging.s3.amazonaws.com")],
      actions: ["s3:PutObject"],
      resources: [accessLogs.arnForObjects("*")],
      conditions: { StringEquals: { "aws:SourceAccount": stack.account } },
    }),
  );
  accept(accessLogs, {
    "AwsSolutions-S1":
      "It is the bucket that takes the access logs; logging itself would never end.",
    "NIST.800.53.R5-S3BucketLoggingEnabled":
      "It is the bucket that takes the access logs; logging itself would never end.",
    "NIST.800.53.R5-S3DefaultEncryptionKMS":
      "S3 server access logging delivers only to buckets encrypted with S3's own keys.",
    "NIST.800.53.R5-S3BucketReplicationEnabled":
      "Logs of access stay in the account and region that they are about.",
  });
  return { key, accessLogs };
}

const USE = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"];

/** Services of this account and region that encrypt with the key on behalf of what the stage makes. */
function servicesThatUse(stack: StackContext["stack"]): readonly iam.PolicyStatement[] {
  const { account, region } = stack;
  const sourceAccount = { StringEquals: { "aws:SourceAccount": account } };
  return [
    new iam.PolicyStatement({
      sid: "FlowLogs",
      principals: [new iam.ServicePrincipal("delivery.logs.amazonaws.com")],
      actions: ["kms:GenerateDataKey*", "kms:Decrypt"],
      resources: ["*"],
      conditions: sourceAccount,
    }),
    ...logsAndNotifications(stack),
    new iam.PolicyStatement({
      sid: "DisksOfNodes",
      principals: [new iam.AnyPrincipal()],
      actions: [...USE, "kms:CreateGrant", "kms:DescribeKey"],
      resources: ["*"],
      // As AWS's own key for EBS: whoever may start the instance, through EC2 and no other way.
      conditions: {
        StringEquals: {
          "kms:CallerAccount": account,
          "kms:ViaService": `ec2.${region}.amazonaws.com`,
        },
      },
    }),
  ];
}

/** CloudWatch Logs, and alarms and events on their way to an encrypted topic. */
export function logsAndNotifications({
  account,
  region,
  partition,
}: StackContext["stack"]): readonly iam.PolicyStatement[] {
  const sourceAccount = { StringEquals: { "aws:SourceAccount": account } };
  return [
    new iam.PolicyStatement({
      sid: "LogGroups",
      principals: [new iam.ServicePrincipal(`logs.${region}.amazonaws.com`)],
      actions: [...USE, "kms:DescribeKey"],
      resources: ["*"], // in a key's policy: this key
      conditions: {
        ArnLike: {
          "kms:EncryptionContext:aws:logs:arn": `arn:${partition}:logs:${region}:${account}:log-group:*`,
        },
      },
    }),
    new iam.PolicyStatement({
      sid: "AlarmsAndEventsToTheTopic",
      principals: ["cloudwatch", "events"].map(
        (service) => new iam.ServicePrincipal(`${service}.amazonaws.com`),
      ),
      actions: ["kms:GenerateDataKey*", "kms:Decrypt"],
      resources: ["*"],
      conditions: sourceAccount,
    }),
  ];
}

/** Who copies snapshots of a cluster's own disks in the forensic account, through EC2 and no other way. */
function forensicCopier(
  { partition }: StackContext["stack"],
  { name: appName, stage }: StackContext["app"],
): readonly iam.PolicyStatement[] {
  const { cluster, preservation } = settingsFor(stage);
  if (cluster.kind !== "create" || !preservation.forensicCopy) return [];
  const { copierArn } = namesThere(preservation.forensicCopy, { partition, appName });
  const principals = [new iam.AccountPrincipal(preservation.forensicCopy.accountId)];
  const copier = {
    ArnEquals: { "aws:PrincipalArn": copierArn }, // the role may be made after this key
    StringLike: { "kms:ViaService": "ec2.*" },
  };
  return [
    new iam.PolicyStatement({
      sid: "ForensicCopy",
      principals,
      actions: [
        ...["kms:DescribeKey", "kms:Decrypt", "kms:ReEncryptFrom"],
        ...["kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"],
      ],
      resources: ["*"],
      conditions: copier,
    }),
    new iam.PolicyStatement({
      sid: "ForensicCopyByGrant",
      principals,
      actions: ["kms:CreateGrant"],
      resources: ["*"],
      conditions: { ...copier, Bool: { "kms:GrantIsForAWSResource": "true" } },
    }),
  ];
}
