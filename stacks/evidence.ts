import { Duration, RemovalPolicy } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import * as kms from "aws-cdk-lib/aws-kms";
import * as s3 from "aws-cdk-lib/aws-s3";
import { type StackContext, use } from "sst/constructs";
import type { StageSettings } from "../stage-settings.ts";
import { settingsFor } from "../stages.ts";
import { accept } from "./accepted-findings.ts";
import { foundation } from "./foundation.ts";
import { network } from "./network.ts";
import { logAccess } from "./private-bucket.ts";

type Stack = StackContext["stack"];

/** The bucket that holds what was seen and done, where nobody can change it. */
export function evidence({ stack, app }: StackContext) {
  const settings = settingsFor(app.stage).evidence;
  const { accessLogs } = use(foundation);
  const { s3EndpointId } = use(network);
  // The roles of the stage's functions are named, so that the bucket can say who writes.
  const writers = `arn:${stack.partition}:iam::${stack.account}:role/${app.logicalPrefixedName("*")}`;
  const key = evidenceKey(stack, [writers, ...settings.readers]);
  const bucket = new s3.Bucket(stack, "Evidence", {
    versioned: true,
    objectLockEnabled: true,
    objectLockDefaultRetention: retention(settings),
    encryptionKey: key,
    bucketKeyEnabled: true, // one call of KMS for many objects, and the bucket as context of each
    enforceSSL: true,
    minimumTLSVersion: 1.2,
    blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
    objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
    lifecycleRules: lifecycle(settings),
    removalPolicy: RemovalPolicy.RETAIN, // evidence outlives the stage that took it
  });
  logAccess(bucket, accessLogs, "evidence");
  for (const statement of bucketRules(bucket, { ...settings, writers, s3EndpointId })) {
    bucket.addToResourcePolicy(statement);
  }
  accept(bucket, {
    "NIST.800.53.R5-S3BucketReplicationEnabled":
      "Evidence is locked where it is; a copy in a forensic account is the owner's decision.",
  });
  stack.addOutputs({ EvidenceBucket: bucket.bucketName });
  return { bucket, key };
}

function retention({ retentionDays, lock }: StageSettings["evidence"]): s3.ObjectLockRetention {
  const days = Duration.days(retentionDays);
  return lock === "compliance"
    ? s3.ObjectLockRetention.compliance(days)
    : s3.ObjectLockRetention.governance(days);
}

/** A lifecycle rule cannot delete what is locked; it removes what freed markers leave behind. */
function lifecycle({
  archiveAfterDays,
  retentionDays,
}: StageSettings["evidence"]): s3.LifecycleRule[] {
  return [
    { id: "half-uploads", abortIncompleteMultipartUploadAfter: Duration.days(1) },
    {
      id: "archive",
      prefix: "runs/",
      transitions: [
        {
          storageClass: s3.StorageClass.GLACIER_INSTANT_RETRIEVAL,
          transitionAfter: Duration.days(archiveAfterDays),
        },
      ],
    },
    {
      id: "freed-markers",
      prefix: "open/",
      noncurrentVersionExpiration: Duration.days(retentionDays),
      expiredObjectDeleteMarker: true,
    },
  ];
}

/**
 * A key for evidence alone. The account's administrators manage it; used it is only through S3
 * of this region, by the stage's own roles and the named readers, as far as their policies let them.
 */
function evidenceKey(stack: Stack, users: readonly string[]): kms.Key {
  const root = new iam.AccountRootPrincipal();
  return new kms.Key(stack, "EvidenceKey", {
    description: "Evidence of containment runs",
    enableKeyRotation: true,
    removalPolicy: RemovalPolicy.RETAIN, // without it the evidence is noise
    policy: new iam.PolicyDocument({
      statements: [
        new iam.PolicyStatement({
          sid: "Administration",
          principals: [root],
          actions: [
            ...["kms:Describe*", "kms:Get*", "kms:List*", "kms:Enable*", "kms:Disable*"],
            ...["kms:Put*", "kms:Update*", "kms:TagResource", "kms:UntagResource"],
            ...["kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion"],
          ],
          resources: ["*"], // in a key's policy: this key
        }),
        new iam.PolicyStatement({
          sid: "UseThroughS3",
          principals: [root],
          actions: ["kms:GenerateDataKey", "kms:Decrypt"],
          resources: ["*"],
          conditions: {
            StringEquals: { "kms:ViaService": `s3.${stack.region}.${stack.urlSuffix}` },
            ArnLike: { "aws:PrincipalArn": [...users] },
          },
        }),
      ],
    }),
  });
}

function bucketRules(
  bucket: s3.Bucket,
  {
    readers,
    writers,
    s3EndpointId,
  }: {
    readonly readers: readonly string[];
    readonly writers: string;
    readonly s3EndpointId: string;
  },
): readonly iam.PolicyStatement[] {
  const anyone = [new iam.AnyPrincipal()];
  return [
    // Object Lock keeps versions, but lets a new one be put on top: only conditional writes may pass.
    new iam.PolicyStatement({
      sid: "NothingIsOverwritten",
      effect: iam.Effect.DENY,
      principals: anyone,
      actions: ["s3:PutObject"],
      resources: [bucket.arnForObjects("*")],
      conditions: { Null: { "s3:if-none-match": "true" } },
    }),
    // A marker is freed as it was seen: never one that another case has taken meanwhile.
    new iam.PolicyStatement({
      sid: "NothingIsFreedUnseen",
      effect: iam.Effect.DENY,
      principals: anyone,
      actions: ["s3:DeleteObject"],
      resources: [bucket.arnForObjects("*")],
      conditions: { Null: { "s3:if-match": "true" } },
    }),
    new iam.PolicyStatement({
      sid: "OnlyTheStageWrites",
      effect: iam.Effect.DENY,
      principals: anyone,
      actions: [
        ...["s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"],
        ...["s3:PutObjectRetention", "s3:PutObjectLegalHold", "s3:BypassGovernanceRetention"],
      ],
      resources: [bucket.arnForObjects("*")],
      conditions: { ArnNotLike: { "aws:PrincipalArn": writers } },
    }),
    new iam.PolicyStatement({
      sid: "OnlyFromTheVpcOrByNamedReaders",
      effect: iam.Effect.DENY,
      principals: anyone,
      actions: ["s3:GetObject*", "s3:PutObject*", "s3:DeleteObject*", "s3:ListBucket*"],
      resources: [bucket.bucketArn, bucket.arnForObjects("*")],
      conditions: {
        StringNotEquals: { "aws:SourceVpce": s3EndpointId },
        ...(readers.length > 0 && { ArnNotEquals: { "aws:PrincipalArn": [...readers] } }),
      },
    }),
  ];
}
