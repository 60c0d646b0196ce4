import { ArnFormat, RemovalPolicy } from "aws-cdk-lib";
import * as ec2 from "aws-cdk-lib/aws-ec2";
import * as eks from "aws-cdk-lib/aws-eks";
import * as iam from "aws-cdk-lib/aws-iam";
import type * as kms from "aws-cdk-lib/aws-kms";
import * as logs from "aws-cdk-lib/aws-logs";
import type { StackContext } from "sst/constructs";
import type { NewClusterSettings } from "../stage-settings.ts";
import { accept, INLINE_IS_MEANT } from "./accepted-findings.ts";
import type { Network } from "./network.ts";

type Stack = StackContext["stack"];

export interface NewCluster {
  readonly resource: eks.CfnCluster;
  /** The group that EKS makes for the API server and all nodes. */
  readonly securityGroupId: string;
}

interface Surroundings {
  readonly key: kms.IKey;
  readonly net: Network;
  readonly logRetentionDays: number;
}

/**
 * A fully private EKS cluster: no public endpoint, secrets encrypted with our key, every
 * control-plane log, access by access entries only, a VPC CNI that enforces policies and says so, and
 * nodes whose disks can be preserved.
 */
export function newCluster(
  stack: Stack,
  settings: NewClusterSettings,
  { key, net, logRetentionDays }: Surroundings,
): NewCluster {
  const logGroup = new logs.LogGroup(stack, "ControlPlaneLogs", {
    logGroupName: `/aws/eks/${settings.name}/cluster`, // made first: EKS would make it without an end
    retention: logRetentionDays,
    encryptionKey: key,
    removalPolicy: RemovalPolicy.RETAIN, // the audit log is evidence of what the attacker asked for
  });
  const subnetIds = net.vpc.selectSubnets(net.subnets).subnetIds;
  const role = new iam.Role(stack, "ClusterRole", {
    assumedBy: new iam.ServicePrincipal("eks.amazonaws.com"),
    managedPolicies: [managed("AmazonEKSClusterPolicy")],
  });
  accept(role, {
    "AwsSolutions-IAM4": "EKS requires this managed policy and extends it with its own versions.",
  });
  const resource = new eks.CfnCluster(stack, "Cluster", {
    name: settings.name,
    version: settings.version,
    roleArn: role.roleArn,
    resourcesVpcConfig: {
      subnetIds,
      endpointPrivateAccess: true,
      endpointPublicAccess: false,
    },
    kubernetesNetworkConfig: { ipFamily: "ipv4", serviceIpv4Cidr: settings.serviceCidr },
    encryptionConfig: [{ provider: { keyArn: key.keyArn }, resources: ["secrets"] }],
    logging: {
      clusterLogging: {
        enabledTypes: ["api", "audit", "authenticator", "controllerManager", "scheduler"].map(
          (type) => ({ type }),
        ),
      },
    },
    accessConfig: {
      authenticationMode: "API",
      bootstrapClusterCreatorAdminPermissions: false, // the settings name who administers
    },
  });
  resource.node.addDependency(logGroup);

  const beforeNodes = [
    addon(stack, resource, "eks-pod-identity-agent"),
    addon(stack, resource, "kube-proxy"),
    addon(stack, resource, "vpc-cni", {
      configuration: {
        enableNetworkPolicy: "true",
        nodeAgent: { enablePolicyEventLogs: "true", enableCloudWatchLogs: "true" },
      },
      identity: { serviceAccount: "aws-node", role: cniRole(stack, settings.name) },
    }),
  ];
  const nodes = addNodes(stack, resource, settings, { key, subnetIds });
  for (const each of beforeNodes) nodes.node.addDependency(each);
  const afterNodes = [
    addon(stack, resource, "coredns"),
    addon(stack, resource, "aws-ebs-csi-driver", {
      identity: {
        serviceAccount: "ebs-csi-controller-sa",
        role: podRole(stack, "EbsRole", "AmazonEBSCSIDriverPolicyV2"),
      },
    }),
  ];
  for (const each of afterNodes) each.node.addDependency(nodes); // they need somewhere to run
  return { resource, securityGroupId: resource.attrClusterSecurityGroupId };
}

function addon(
  stack: Stack,
  cluster: eks.CfnCluster,
  addonName: string,
  options: {
    readonly configuration?: unknown;
    readonly identity?: { readonly serviceAccount: string; readonly role: iam.IRole };
  } = {},
): eks.CfnAddon {
  const { configuration, identity } = options;
  return new eks.CfnAddon(stack, `Addon-${addonName}`, {
    clusterName: cluster.ref,
    addonName,
    resolveConflicts: "OVERWRITE", // what EKS puts into a new cluster by itself becomes the add-on's
    ...(configuration !== undefined && { configurationValues: JSON.stringify(configuration) }),
    ...(identity && {
      podIdentityAssociations: [
        { serviceAccount: identity.serviceAccount, roleArn: identity.role.roleArn },
      ],
    }),
  });
}

/** A role that the Pod Identity agent gives to the pods of one service account. */
function podRole(stack: Stack, id: string, policy: string): iam.Role {
  const role = new iam.Role(stack, id, {
    assumedBy: new iam.ServicePrincipal("pods.eks.amazonaws.com").withSessionTags(),
    managedPolicies: [managed(policy)],
  });
  accept(role, {
    "AwsSolutions-IAM4":
      "AWS keeps this policy in step with the add-on that it also updates; a copy would fall behind.",
  });
  return role;
}

function cniRole(stack: Stack, clusterName: string): iam.Role {
  const role = podRole(stack, "CniRole", "AmazonEKS_CNI_Policy");
  const logGroups = stack.formatArn({
    service: "logs",
    resource: "log-group",
    resourceName: `/aws/eks/${clusterName}/cluster:*`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  role.addToPolicy(
    new iam.PolicyStatement({
      actions: ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogGroups"],
      resources: [logGroups],
    }),
  );
  accept(role, {
    "AwsSolutions-IAM5": "The streams of one log group, which the agent names after its nodes.",
    "NIST.800.53.R5-IAMNoInlinePolicy": INLINE_IS_MEANT,
  });
  return role;
}

function addNodes(
  stack: Stack,
  cluster: eks.CfnCluster,
  { nodes }: NewClusterSettings,
  { key, subnetIds }: { readonly key: kms.IKey; readonly subnetIds: readonly string[] },
): eks.CfnNodegroup {
  const role = new iam.Role(stack, "NodeRole", {
    assumedBy: new iam.ServicePrincipal("ec2.amazonaws.com"),
    managedPolicies: [
      managed("AmazonEKSWorkerNodePolicy"),
      managed("AmazonEC2ContainerRegistryPullOnly"),
    ],
  });
  accept(role, {
    "AwsSolutions-IAM4": "What a managed node group requires; pods have roles of their own.",
  });
  const template = new ec2.CfnLaunchTemplate(stack, "NodeTemplate", {
    launchTemplateData: {
      metadataOptions: {
        httpTokens: "required",
        httpPutResponseHopLimit: 1, // pods do not reach the node's credentials
      },
      monitoring: { enabled: true },
      blockDeviceMappings: [
        {
          deviceName: "/dev/xvda",
          ebs: {
            volumeType: "gp3",
            volumeSize: 40,
            encrypted: true,
            kmsKeyId: key.keyArn, // of ours: a snapshot under AWS's own key cannot be handed on
          },
        },
      ],
    },
  });
  const architecture = /^[a-z]+\d+g/.test(nodes.instanceType) ? "ARM_64" : "x86_64";
  return new eks.CfnNodegroup(stack, "Nodes", {
    clusterName: cluster.ref,
    nodeRole: role.roleArn,
    subnets: [...subnetIds],
    amiType: `AL2023_${architecture}_STANDARD`,
    instanceTypes: [nodes.instanceType],
    launchTemplate: { id: template.ref, version: template.attrLatestVersionNumber },
    scalingConfig: {
      minSize: nodes.minimum,
      desiredSize: nodes.minimum,
      maxSize: nodes.maximum,
    },
    updateConfig: { maxUnavailable: 1 },
    nodeRepairConfig: { enabled: false }, // it replaces a node that is not ready: that is evidence
  });
}

function managed(name: string): iam.IManagedPolicy {
  return iam.ManagedPolicy.fromAwsManagedPolicyName(name);
}
