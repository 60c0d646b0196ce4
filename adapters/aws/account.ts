import {
  DescribeAvailabilityZonesCommand,
  DescribeVpcAttributeCommand,
  DescribeVpcEndpointServicesCommand,
  EC2Client,
  type Route as Ec2Route,
  type VpcEndpoint as Ec2VpcEndpoint,
  type IpPermission,
  paginateDescribeInstanceTypeOfferings,
  paginateDescribeManagedPrefixLists,
  paginateDescribeRouteTables,
  paginateDescribeSecurityGroups,
  paginateDescribeSubnets,
  paginateDescribeVpcEndpoints,
  paginateDescribeVpcs,
  type Tag,
} from "@aws-sdk/client-ec2";
import {
  type Cluster,
  DescribeAddonCommand,
  DescribeClusterCommand,
  EKSClient,
  paginateDescribeClusterVersions,
} from "@aws-sdk/client-eks";
import { parse } from "yaml";
import type {
  Account,
  Addon,
  EksCluster,
  EndpointService,
  GroupRule,
  Route,
  VpcEndpoint,
} from "../../core/readiness/account.ts";
import { type AwsAccess, all, LOOKING, look, unlessAbsent } from "./observe.ts";

/** An account as EC2 and EKS describe it. Filters instead of ids: one absent id fails no other. */
export function awsAccount(access: AwsAccess): Account {
  const ec2 = new EC2Client({ ...LOOKING, ...access });
  const eks = new EKSClient({ ...LOOKING, ...access });
  const client = { client: ec2 };
  const where = (Name: string, ...Values: string[]) => ({ Filters: [{ Name, Values }] });

  return {
    cluster: (name) =>
      look("eks:DescribeCluster", async () => {
        const answer = await unlessAbsent(eks.send(new DescribeClusterCommand({ name })));
        return answer?.cluster ? toCluster(name, answer.cluster) : null;
      }),

    addon: (clusterName, addonName) =>
      look("eks:DescribeAddon", async () => {
        const answer = await unlessAbsent(
          eks.send(new DescribeAddonCommand({ clusterName, addonName })),
        );
        if (!answer?.addon) return null;
        const { status = null, addonVersion: version = null, configurationValues } = answer.addon;
        return { status, version, configuration: toConfiguration(configurationValues) };
      }),

    clusterVersions: () =>
      look("eks:DescribeClusterVersions", () =>
        all(paginateDescribeClusterVersions({ client: eks }, {}), ({ clusterVersions = [] }) =>
          clusterVersions.flatMap(({ clusterVersion }) => clusterVersion ?? []),
        ),
      ),

    vpcs: () =>
      look("ec2:DescribeVpcs", () =>
        all(paginateDescribeVpcs(client, {}), ({ Vpcs = [] }) =>
          Vpcs.map(({ VpcId: id = "", CidrBlockAssociationSet = [], Tags }) => ({
            id,
            ranges: CidrBlockAssociationSet.flatMap(({ CidrBlock }) => CidrBlock ?? []),
            tags: toTags(Tags),
          })),
        ),
      ),

    vpcDns: (VpcId) =>
      look("ec2:DescribeVpcAttribute", async () => {
        const [support, hostnames] = await Promise.all(
          (["enableDnsSupport", "enableDnsHostnames"] as const).map((Attribute) =>
            ec2.send(new DescribeVpcAttributeCommand({ VpcId, Attribute })),
          ),
        );
        return {
          support: support?.EnableDnsSupport?.Value === true,
          hostnames: hostnames?.EnableDnsHostnames?.Value === true,
        };
      }),

    subnets: (ids) =>
      look("ec2:DescribeSubnets", async () => {
        if (ids.length === 0) return [];
        return all(
          paginateDescribeSubnets(client, where("subnet-id", ...ids)),
          ({ Subnets = [] }) =>
            Subnets.map(
              ({
                SubnetId: id = "",
                VpcId: vpcId = "",
                AvailabilityZone,
                CidrBlock: range = "",
              }) => ({
                id,
                vpcId,
                zone: AvailabilityZone ?? "",
                range,
              }),
            ),
        );
      }),

    routeTables: (vpcId) =>
      look("ec2:DescribeRouteTables", () =>
        all(paginateDescribeRouteTables(client, where("vpc-id", vpcId)), ({ RouteTables = [] }) =>
          RouteTables.map(({ RouteTableId: id = "", Associations = [], Routes = [] }) => ({
            id,
            main: Associations.some(({ Main }) => Main === true),
            subnetIds: Associations.flatMap(({ SubnetId }) => SubnetId ?? []),
            routes: Routes.filter(({ State }) => State !== "blackhole").map(toRoute),
          })),
        ),
      ),

    securityGroups: (ids) =>
      look("ec2:DescribeSecurityGroups", async () => {
        if (ids.length === 0) return [];
        return all(
          paginateDescribeSecurityGroups(client, where("group-id", ...ids)),
          ({ SecurityGroups = [] }) =>
            SecurityGroups.map(({ GroupId: id = "", VpcId: vpcId = "", ...group }) => ({
              id,
              vpcId,
              inbound: (group.IpPermissions ?? []).map(toRule),
              outbound: (group.IpPermissionsEgress ?? []).map(toRule),
            })),
        );
      }),

    endpoints: (vpcId) =>
      look("ec2:DescribeVpcEndpoints", () =>
        all(paginateDescribeVpcEndpoints(client, where("vpc-id", vpcId)), ({ VpcEndpoints = [] }) =>
          VpcEndpoints.map(toEndpoint),
        ),
      ),

    endpointServices: () =>
      look("ec2:DescribeVpcEndpointServices", async () => {
        const services: EndpointService[] = [];
        let NextToken: string | undefined;
        do {
          const page = await ec2.send(new DescribeVpcEndpointServicesCommand({ NextToken }));
          for (const each of page.ServiceDetails ?? []) {
            services.push({
              name: each.ServiceName ?? "",
              types: (each.ServiceType ?? []).flatMap(({ ServiceType }) => ServiceType ?? []),
              zones: each.AvailabilityZones ?? [],
            });
          }
          NextToken = page.NextToken;
        } while (NextToken);
        return services;
      }),

    zones: () =>
      look("ec2:DescribeAvailabilityZones", async () => {
        const { AvailabilityZones = [] } = await ec2.send(
          new DescribeAvailabilityZonesCommand(where("zone-type", "availability-zone")),
        );
        return AvailabilityZones.filter(({ State }) => State === "available").flatMap(
          ({ ZoneName }) => ZoneName ?? [],
        );
      }),

    zonesOffering: (instanceType) =>
      look("ec2:DescribeInstanceTypeOfferings", () =>
        all(
          paginateDescribeInstanceTypeOfferings(client, {
            LocationType: "availability-zone",
            ...where("instance-type", instanceType),
          }),
          ({ InstanceTypeOfferings = [] }) =>
            InstanceTypeOfferings.flatMap(({ Location }) => Location ?? []),
        ),
      ),

    prefixList: (name) =>
      look("ec2:DescribeManagedPrefixLists", async () => {
        const lists = await all(
          paginateDescribeManagedPrefixLists(client, where("prefix-list-name", name)),
          ({ PrefixLists }) => PrefixLists,
        );
        return lists.find(({ OwnerId }) => OwnerId === "AWS")?.PrefixListId ?? null;
      }),
  };
}

function toCluster(name: string, cluster: Cluster): EksCluster {
  const network = cluster.resourcesVpcConfig ?? {};
  const { clusterSecurityGroupId, securityGroupIds = [] } = network;
  return {
    name,
    status: cluster.status ?? null,
    version: cluster.version ?? null,
    authenticationMode: cluster.accessConfig?.authenticationMode ?? null,
    privateEndpoint: network.endpointPrivateAccess ?? null,
    publicEndpoint: network.endpointPublicAccess ?? null,
    publicRanges: network.publicAccessCidrs ?? [],
    vpcId: network.vpcId || null,
    subnetIds: network.subnetIds ?? [],
    groupIds: [...(clusterSecurityGroupId ? [clusterSecurityGroupId] : []), ...securityGroupIds],
    logs: (cluster.logging?.clusterLogging ?? [])
      .filter(({ enabled }) => enabled === true)
      .flatMap(({ types = [] }) => types),
    keyArn:
      cluster.encryptionConfig?.find(({ provider }) => provider?.keyArn)?.provider?.keyArn ?? null,
    autoMode: cluster.computeConfig?.enabled === true,
    tags: cluster.tags ?? {},
  };
}

/** An add-on is configured in YAML or JSON, which is YAML too. */
function toConfiguration(text: string | undefined): Addon["configuration"] {
  try {
    const parsed: unknown = parse(text ?? "");
    return typeof parsed === "object" && parsed !== null ? { ...parsed } : null;
  } catch {
    return null; // EKS would not have taken it
  }
}

function toRoute(route: Ec2Route): Route {
  const destinations = [
    route.DestinationCidrBlock,
    route.DestinationIpv6CidrBlock,
    route.DestinationPrefixListId,
  ];
  const targets = [
    route.GatewayId,
    route.NatGatewayId,
    route.EgressOnlyInternetGatewayId,
    route.TransitGatewayId,
    route.VpcPeeringConnectionId,
    route.NetworkInterfaceId,
    route.LocalGatewayId,
    route.CarrierGatewayId,
    route.CoreNetworkArn,
  ];
  return {
    destination: destinations.find(Boolean) ?? "",
    target: targets.find(Boolean) ?? "a target that EC2 does not name",
  };
}

function toRule(rule: IpPermission): GroupRule {
  const { FromPort: from, ToPort: to } = rule;
  const anyPort = from === undefined || to === undefined || from === -1;
  return {
    protocol: rule.IpProtocol ?? "",
    ports: anyPort ? null : { from, to },
    groupIds: (rule.UserIdGroupPairs ?? []).flatMap(({ GroupId }) => GroupId ?? []),
    ranges: (rule.IpRanges ?? []).flatMap(({ CidrIp }) => CidrIp ?? []),
    prefixListIds: (rule.PrefixListIds ?? []).flatMap(({ PrefixListId }) => PrefixListId ?? []),
  };
}

function toEndpoint(endpoint: Ec2VpcEndpoint): VpcEndpoint {
  return {
    id: endpoint.VpcEndpointId ?? "",
    vpcId: endpoint.VpcId ?? "",
    service: endpoint.ServiceName ?? "",
    type: endpoint.VpcEndpointType ?? "",
    state: endpoint.State ?? "",
    privateDns: endpoint.PrivateDnsEnabled === true,
    groupIds: (endpoint.Groups ?? []).flatMap(({ GroupId }) => GroupId ?? []),
    policy: toPolicy(endpoint.PolicyDocument),
  };
}

function toPolicy(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null; // judged as one that cannot be read
  }
}

function toTags(tags: readonly Tag[] = []): Readonly<Record<string, string>> {
  return Object.fromEntries(tags.map(({ Key = "", Value = "" }) => [Key, Value]));
}
