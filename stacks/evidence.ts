import { Duration, RemovalPolicy } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import * as kms from "aws-cdk-lib/aws-kms";
import * as s3 from "aws-cdk-lib/aws-s3";
import type { StackContext } from "sst/constructs";
import { settingsFor } from "../stages.ts";

/** The bucket that holds what was seen and done, where nobody can change it. */
export function evidence({ stack, app }: StackContext) {
  const { retentionDays, lock } = settingsFor(app.stage).evidence;
  const retention = Duration.days(retentionDays);
  const key = new kms.Key(stack, "EvidenceKey", {
    description: "Encrypts the evidence of eks-containment",
    enableKeyRotation: true,
    removalPolicy: RemovalPolicy.RETAIN, // without it the evidence cannot be read any more
  });
  const bucket = new s3.Bucket(stack, "Evidence", {
    versioned: true,
    objectLockEnabled: true,
    objectLockDefaultRetention:
      lock === "compliance"
        ? s3.ObjectLockRetention.compliance(retention)
        : s3.ObjectLockRetention.governance(retention),
    encryption: s3.BucketEncryption.KMS,
    encryptionKey: key,
    bucketKeyEnabled: true, // a call to KMS for the bucket and not for every object
    enforceSSL: true,
    blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
    removalPolicy: RemovalPolicy.RETAIN, // evidence outlives the stage that took it
  });
  // Object Lock keeps versions, but lets a new one be put on top: only conditional writes may pass.
  bucket.addToResourcePolicy(
    new iam.PolicyStatement({
      effect: iam.Effect.DENY,
      principals: [new iam.AnyPrincipal()],
      actions: ["s3:PutObject"],
      resources: [bucket.arnForObjects("*")],
      conditions: { Null: { "s3:if-none-match": "true" } },
    }),
  );
  stack.addOutputs({ EvidenceBucket: bucket.bucketName });
  return { bucket, key };
}
