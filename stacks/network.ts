import { Annotations } from "aws-cdk-lib";
import * as ec2 from "aws-cdk-lib/aws-ec2";
import * as iam from "aws-cdk-lib/aws-iam";
import type * as s3 from "aws-cdk-lib/aws-s3";
import type { StackContext } from "sst/constructs";
import type { ExistingClusterSettings, NewClusterSettings } from "../stage-settings.ts";
import { settingsFor } from "../stages.ts";
import { recordAdopted } from "./adopted.ts";
import { type Caller, endpointsFor, type InterfaceEndpoint } from "./endpoints.ts";
import { privateBucket } from "./private-bucket.ts";

type Stack = StackContext["stack"];

/** Where the functions run, and what else the network of a new cluster has. */
export interface Network {
  readonly vpc: ec2.IVpc;
  readonly subnets: ec2.SubnetSelection;
  readonly functionGroup: ec2.ISecurityGroup;
  /** The gateway endpoint through which evidence is written. */
  readonly s3EndpointId: string;
  /** Null: the network is somebody else's, and is not changed. */
  readonly own: null | {
    readonly endpointGroup: ec2.SecurityGroup;
    readonly functionGroup: ec2.SecurityGroup;
    /** Null: the stage has no bastion. */
    readonly bastionGroup: ec2.SecurityGroup | null;
    readonly flowLogs: s3.Bucket;
  };
}

/**
 * The private network: that of the existing cluster, or a VPC of isolated subnets, without internet
 * gateway or NAT, from which AWS is reached through endpoints and nothing else is.
 */
export function network({ stack, app }: StackContext): Network {
  const { cluster } = settingsFor(app.stage);
  if (cluster.kind === "create") return created(stack, cluster);
  recordAdopted(stack, `/${app.name}/${app.stage}/network`, cluster.vpcId);
  return adopted(stack, cluster);
}

function adopted(stack: Stack, cluster: ExistingClusterSettings): Network {
  return {
    ...placement(stack, cluster.vpcId, cluster.subnetIds),
    functionGroup: ec2.SecurityGroup.fromSecurityGroupId(
      stack,
      "FunctionGroup",
      cluster.securityGroupId,
      { mutable: false }, // the group is the cluster owner's to change
    ),
    s3EndpointId: cluster.s3EndpointId,
    own: null,
  };
}

const ISOLATED = { subnetType: ec2.SubnetType.PRIVATE_ISOLATED };

/** A VPC as those need it who only put something into its subnets. */
function placement(stack: Stack, vpcId: string, subnetIds: readonly string[]) {
  const vpc = ec2.Vpc.fromVpcAttributes(stack, "Placement", {
    vpcId,
    availabilityZones: subnetIds.map((_, index) => `zone-${index}`), // only their number is used
    isolatedSubnetIds: [...subnetIds],
  });
  Annotations.of(vpc).acknowledgeWarning(
    "@aws-cdk/aws-ec2:noSubnetRouteTableId",
    "no route is made",
  );
  return { vpc, subnets: ISOLATED };
}

function created(stack: Stack, cluster: NewClusterSettings): Network {
  const made = new ec2.Vpc(stack, "Vpc", {
    ipAddresses: ec2.IpAddresses.cidr(cluster.vpcCidr),
    availabilityZones: [...cluster.availabilityZones],
    subnetConfiguration: [
      {
        name: "private",
        ...ISOLATED,
        cidrMask: Number(cluster.vpcCidr.split("/")[1]) + 2, // room for four: at most three are used
      },
    ],
    restrictDefaultSecurityGroup: true, // nothing uses it, so it lets nothing through
  });
  const { vpc, subnets } = placement(
    stack,
    made.vpcId,
    made.isolatedSubnets.map(({ subnetId }) => subnetId),
  );

  const groupOf = (caller: string, description: string) =>
    new ec2.SecurityGroup(stack, `${caller}Group`, { vpc, description, allowAllOutbound: false });
  const endpointGroup = groupOf("Endpoint", "Interface endpoints of AWS services");
  const functionGroup = groupOf("Function", "The functions of the playbook");
  const bastionGroup = cluster.bastion ? groupOf("Bastion", "The bastion: nothing comes in") : null;
  const s3List = ec2.Peer.prefixList(cluster.s3PrefixListId);
  for (const group of [functionGroup, bastionGroup].filter((each) => each !== null)) {
    group.addEgressRule(endpointGroup, ec2.Port.tcp(443), "AWS services");
    group.addEgressRule(s3List, ec2.Port.tcp(443), "S3, through its gateway endpoint");
    endpointGroup.addIngressRule(group, ec2.Port.tcp(443), "calls AWS services");
  }

  const callers: readonly Caller[] = [
    "functions",
    "nodes",
    ...(bastionGroup ? ["bastion" as const] : []),
  ];
  for (const endpoint of endpointsFor(callers)) {
    addInterfaceEndpoint(made, endpoint, { group: endpointGroup, account: stack.account });
  }
  const s3Endpoint = made.addGatewayEndpoint("S3", {
    service: ec2.GatewayVpcEndpointAwsService.S3,
  });
  for (const statement of throughS3(stack)) s3Endpoint.addToPolicy(statement);

  return {
    vpc,
    subnets,
    functionGroup,
    s3EndpointId: s3Endpoint.vpcEndpointId,
    own: { endpointGroup, functionGroup, bastionGroup, flowLogs: addFlowLogs(stack, made.vpcId) },
  };
}

function addInterfaceEndpoint(
  vpc: ec2.Vpc,
  { service, actions }: InterfaceEndpoint,
  { group, account }: { group: ec2.SecurityGroup; account: string },
): void {
  const endpoint = vpc.addInterfaceEndpoint(pascalCase(service), {
    service: new ec2.InterfaceVpcEndpointAwsService(service),
    subnets: ISOLATED,
    securityGroups: [group],
    open: false, // the group says who may come, not the VPC's whole range
    privateDnsEnabled: true,
  });
  endpoint.addToPolicy(
    new iam.PolicyStatement({
      principals: [new iam.AnyPrincipal()],
      actions: [...actions],
      resources: ["*"],
      conditions: ofAccount(account),
    }),
  );
}

/** Nobody with credentials of another account sends anything out through our endpoints. */
function ofAccount(account: string) {
  return { StringEquals: { "aws:PrincipalAccount": account } };
}

/** What passes the way to S3: our own buckets, and the layers of ECR's images. */
function throughS3({ account, partition, region }: Stack): readonly iam.PolicyStatement[] {
  return [
    new iam.PolicyStatement({
      sid: "BucketsOfThisAccount",
      principals: [new iam.AnyPrincipal()],
      actions: ["s3:GetObject*", "s3:PutObject*", "s3:DeleteObject", "s3:ListBucket*"],
      resources: ["*"],
      // Without the second condition an attacker's own bucket would take what is sent to it.
      conditions: {
        StringEquals: { "aws:PrincipalAccount": account, "aws:ResourceAccount": account },
      },
    }),
    new iam.PolicyStatement({
      sid: "LayersOfImages",
      principals: [new iam.AnyPrincipal()],
      actions: ["s3:GetObject"],
      resources: [`arn:${partition}:s3:::prod-${region}-starport-layer-bucket/*`],
    }),
  ];
}

/** Fields of a record. The packets' own addresses are those of pods; an interface has one of its own. */
export const FLOW_LOG_FIELDS = [
  ...["version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport"],
  ...["protocol", "packets", "bytes", "start", "end", "action", "log-status"],
  ...["pkt-srcaddr", "pkt-dstaddr", "tcp-flags", "flow-direction"],
] as const;

/** The format of a flow log cannot be changed later, so it has from the start what proves a drop. */
function addFlowLogs(stack: Stack, vpcId: string): s3.Bucket {
  const bucket = privateBucket(stack, "FlowLogs", {
    name: "flow-logs",
    expireAfterDays: 400, // they prove what left a pod, and what did not
    notReplicated: "Records of traffic support evidence; a second region would double their cost.",
  });
  const { account, region, partition } = stack;
  bucket.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: "DeliveryOfFlowLogs",
      principals: [new iam.ServicePrincipal("delivery.logs.amazonaws.com")],
      actions: ["s3:PutObject", "s3:GetBucketAcl"],
      resources: [bucket.bucketArn, bucket.arnForObjects(`AWSLogs/*`)],
      conditions: {
        StringEquals: { "aws:SourceAccount": account },
        ArnLike: { "aws:SourceArn": `arn:${partition}:logs:${region}:${account}:*` },
      },
    }),
  );
  new ec2.CfnFlowLog(stack, "FlowLog", {
    resourceId: vpcId,
    resourceType: "VPC",
    trafficType: "ALL",
    logDestinationType: "s3",
    logDestination: bucket.bucketArn,
    logFormat: FLOW_LOG_FIELDS.map((field) => `\${${field}}`).join(" "),
    maxAggregationInterval: 60,
    // Passed on as it is written: CDK gives these no type.
    destinationOptions: {
      FileFormat: "parquet",
      HiveCompatiblePartitions: true,
      PerHourPartition: true,
    },
  }).node.addDependency(bucket.policy ?? bucket);
  return bucket;
}

/** `ecr.api` is `EcrApi`. */
function pascalCase(service: string): string {
  return service.replaceAll(/(?:^|[.-])([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
