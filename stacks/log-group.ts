import { RemovalPolicy } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import * as logs from "aws-cdk-lib/aws-logs";
import type { StackContext } from "sst/constructs";

/** A log group with a name that is known before what writes to it, encrypted with the stage's key. */
export function logGroup(
  stack: StackContext["stack"],
  id: string,
  {
    name: logGroupName,
    days: retention,
    key: encryptionKey,
  }: { readonly name: string; readonly days: number; readonly key: IKey },
): logs.LogGroup {
  return new logs.LogGroup(stack, id, {
    ...{ logGroupName, retention, encryptionKey },
    removalPolicy: RemovalPolicy.DESTROY, // the name must be free for the next deployment
  });
}
