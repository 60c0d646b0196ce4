import * as ec2 from "aws-cdk-lib/aws-ec2";
import * as eks from "aws-cdk-lib/aws-eks";
import * as iam from "aws-cdk-lib/aws-iam";
import { type StackContext, use } from "sst/constructs";
import { TOOLS_PREFIX } from "../adapters/aws/tools-bucket.ts";
import { accept, INLINE_IS_MEANT } from "./accepted-findings.ts";
import { cluster } from "./cluster.ts";
import { foundation } from "./foundation.ts";
import { network } from "./network.ts";
import { privateBucket } from "./private-bucket.ts";

/**
 * The way in for people: an instance without key or inbound rule, reached over Session Manager, that
 * leads to the cluster's private endpoint. Its tools come through a bucket, as nothing else does.
 */
export function bastion({ stack }: StackContext) {
  const { key } = use(foundation);
  const { own, vpc, subnets } = use(network);
  const { own: made, arn: clusterArn } = use(cluster);
  if (!own?.bastionGroup || !made)
    throw new Error("a bastion stands in a network of its stage's own");

  const tools = privateBucket(stack, "Tools", {
    name: "tools",
    expireAfterDays: 90, // what is installed does not need it any more
    notReplicated: "It holds copies of published programs, which can be fetched again.",
  });
  const role = new iam.Role(stack, "BastionRole", {
    assumedBy: new iam.ServicePrincipal("ec2.amazonaws.com"),
  });
  for (const statement of [
    new iam.PolicyStatement({
      sid: "SessionsAndCommands",
      actions: [...AGENT_PROTOCOL],
      resources: ["*"], // the agent's own protocol knows no other resource
    }),
    new iam.PolicyStatement({
      sid: "Kubeconfig",
      actions: ["eks:DescribeCluster"],
      resources: [clusterArn],
    }),
    new iam.PolicyStatement({
      sid: "Tools",
      actions: ["s3:GetObject"],
      resources: [tools.arnForObjects(`${TOOLS_PREFIX}*`)],
    }),
    new iam.PolicyStatement({
      sid: "ToolsDecrypted",
      actions: ["kms:Decrypt"],
      resources: [key.keyArn],
      conditions: { StringEquals: { "kms:ViaService": `s3.${stack.region}.${stack.urlSuffix}` } },
    }),
  ]) {
    role.addToPolicy(statement);
  }
  accept(role, {
    "AwsSolutions-IAM5":
      "The agent's protocol knows no resource, and of the bucket one folder is read.",
    "NIST.800.53.R5-IAMNoInlinePolicy": INLINE_IS_MEANT,
  });

  const instance = new ec2.CfnInstance(stack, "BastionHost", {
    imageId: ec2.MachineImage.latestAmazonLinux2023({
      cpuType: ec2.AmazonLinuxCpuType.ARM_64,
    }).getImage(stack).imageId,
    instanceType: "t4g.micro", // kubectl beside the system fills the half gigabyte of a nano
    iamInstanceProfile: new iam.InstanceProfile(stack, "Profile", { role }).instanceProfileName,
    subnetId: vpc.selectSubnets(subnets).subnetIds[0] ?? "",
    securityGroupIds: [own.bastionGroup.securityGroupId],
    metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: 1 },
    blockDeviceMappings: [
      {
        deviceName: "/dev/xvda",
        ebs: {
          volumeType: "gp3",
          encrypted: true,
          kmsKeyId: key.keyArn,
          deleteOnTermination: true,
        },
      },
    ],
    ebsOptimized: true,
    monitoring: true,
    propagateTagsToVolumeOnCreation: true,
    tags: [{ key: "Name", value: stack.stackName }],
  });
  accept(instance, {
    "NIST.800.53.R5-EC2IMDSv2Enabled":
      "The rule looks at launch templates only; the instance's own metadataOptions require version 2.",
    "AwsSolutions-EC29": "It keeps nothing: a deployment may replace it, and the removal ends it.",
  });

  // People who administer do so as themselves, through the tunnel; from the bastion one only looks.
  new eks.CfnAccessEntry(stack, "BastionAccess", {
    clusterName: made.resource.ref,
    principalArn: role.roleArn,
    type: "STANDARD",
    accessPolicies: [
      {
        policyArn: `arn:${stack.partition}:eks::aws:cluster-access-policy/AmazonEKSViewPolicy`,
        accessScope: { type: "cluster" },
      },
    ],
  });
  stack.addOutputs({ Bastion: instance.ref, ToolsBucket: tools.bucketName });
}

/**
 * Of AmazonSSMManagedInstanceCore what sessions and Run Command take. Left out are inventory,
 * patching, State Manager and, above all, reading every parameter of the account.
 */
const AGENT_PROTOCOL = [
  "ssm:UpdateInstanceInformation",
  "ssmmessages:CreateControlChannel",
  "ssmmessages:CreateDataChannel",
  "ssmmessages:OpenControlChannel",
  "ssmmessages:OpenDataChannel",
  "ec2messages:AcknowledgeMessage",
  "ec2messages:DeleteMessage",
  "ec2messages:FailMessage",
  "ec2messages:GetEndpoint",
  "ec2messages:GetMessages",
  "ec2messages:SendReply",
] as const;
