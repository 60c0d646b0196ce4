import * as iam from "aws-cdk-lib/aws-iam";
import type * as logs from "aws-cdk-lib/aws-logs";
import type { StackContext } from "sst/constructs";
import { accept, INLINE_IS_MEANT } from "./accepted-findings.ts";

/**
 * The role of one function: what Lambda itself needs to run it in the VPC, log and trace, and the
 * statements of its state. Named like the function, so that the evidence bucket knows its writers.
 */
export function functionRole(
  stack: StackContext["stack"],
  id: string,
  settings: {
    readonly functionName: string;
    readonly logGroup: logs.ILogGroup;
    readonly statements: readonly iam.PolicyStatement[];
  },
): iam.Role {
  const { functionName, logGroup, statements } = settings;
  const role = new iam.Role(stack, `${id}Role`, {
    roleName: functionName,
    assumedBy: new iam.ServicePrincipal("lambda.amazonaws.com"),
  });
  const networkInterfaces = [
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
  ];
  for (const statement of [
    new iam.PolicyStatement({
      sid: "Log",
      actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
      resources: [logGroup.logGroupArn],
    }),
    new iam.PolicyStatement({
      sid: "Trace",
      actions: ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], // X-Ray knows no resource
      resources: ["*"],
    }),
    new iam.PolicyStatement({
      sid: "JoinTheVpc",
      actions: networkInterfaces, // Lambda asks for them before any interface exists
      resources: ["*"],
    }),
    new iam.PolicyStatement({
      sid: "ButNotFromItsCode",
      effect: iam.Effect.DENY,
      actions: networkInterfaces,
      resources: ["*"],
      conditions: {
        ArnEquals: {
          "lambda:SourceFunctionArn": `arn:${stack.partition}:lambda:${stack.region}:${stack.account}:function:${functionName}`,
        },
      },
    }),
    ...statements,
  ]) {
    role.addToPolicy(statement);
  }
  accept(role, {
    "AwsSolutions-IAM5":
      "Describing, tracing and joining a VPC know no resource; every other star ends a prefix of " +
      "keys in the evidence bucket or of snapshots of this account (stacks/grants.ts).",
    "NIST.800.53.R5-IAMNoInlinePolicy": INLINE_IS_MEANT,
  });
  return role;
}
