import { Duration, RemovalPolicy } from "aws-cdk-lib";
import * as s3 from "aws-cdk-lib/aws-s3";
import { type StackContext, use } from "sst/constructs";
import { accept } from "./accepted-findings.ts";
import { foundation } from "./foundation.ts";

/**
 * A bucket beside the evidence: encrypted with the stage's key, reached over TLS by nobody public,
 * with a log of who touches it and an end for what lies in it. `name` is its folder in that log.
 */
export function privateBucket(
  stack: StackContext["stack"],
  id: string,
  settings: {
    readonly name: string;
    readonly expireAfterDays: number;
    /** Why one region is enough. */
    readonly notReplicated: string;
  },
): s3.Bucket {
  const { key, accessLogs } = use(foundation);
  const bucket = new s3.Bucket(stack, id, {
    encryptionKey: key,
    bucketKeyEnabled: true,
    enforceSSL: true,
    versioned: true,
    blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
    lifecycleRules: [
      {
        expiration: Duration.days(settings.expireAfterDays),
        noncurrentVersionExpiration: Duration.days(1),
        abortIncompleteMultipartUploadAfter: Duration.days(1),
      },
    ],
    removalPolicy: RemovalPolicy.RETAIN, // a bucket that is not empty cannot be removed
  });
  logAccess(bucket, accessLogs, settings.name);
  accept(bucket, { "NIST.800.53.R5-S3BucketReplicationEnabled": settings.notReplicated });
  return bucket;
}

/**
 * Logs who touches a bucket into a folder of the stage's access log. Said of the resource itself:
 * CDK would grant the delivery in the log's policy, which would then depend on this bucket's stack.
 */
export function logAccess(bucket: s3.Bucket, accessLogs: s3.IBucket, folder: string): void {
  const resource = bucket.node.defaultChild as s3.CfnBucket;
  resource.loggingConfiguration = {
    destinationBucketName: accessLogs.bucketName,
    logFilePrefix: `${folder}/`,
  };
}
