import type {
  Account,
  Addon,
  EksCluster,
  RouteTable,
  SecurityGroup,
  Subnet,
  Vpc,
  VpcDns,
  VpcEndpoint,
} from "./account.ts";
import { clusterFindings, subjectOf } from "./cluster.ts";
import { CNI_ADDON, cniFindings } from "./cni.ts";
import {
  admission,
  admissionFindings,
  endpointFindings,
  s3EndpointFindings,
} from "./endpoint-findings.ts";
import { about, type Finding, type Observed } from "./finding.ts";
import { functionsGroupFindings } from "./functions-group.ts";
import { s3RouteFindings, subnetFindings, vpcFindings, wayOutFindings } from "./network.ts";
import { type NeededEndpoint, serviceName } from "./place.ts";

/** An existing cluster, and the part of its network that the settings give to the functions. */
export interface ExistingPlace {
  readonly region: string;
  readonly name: string;
  readonly vpcId: string;
  readonly subnetIds: readonly string[];
  readonly securityGroupId: string;
  readonly s3EndpointId: string;
  /** Those that the functions call AWS through. */
  readonly endpoints: readonly NeededEndpoint[];
}

export interface ExistingObservation {
  readonly cluster: Observed<EksCluster | null>;
  readonly addon: Observed<Addon | null>;
  readonly vpcs: Observed<readonly Vpc[]>;
  readonly dns: Observed<VpcDns>;
  readonly subnets: Observed<readonly Subnet[]>;
  readonly tables: Observed<readonly RouteTable[]>;
  readonly endpoints: Observed<readonly VpcEndpoint[]>;
  readonly groups: Observed<readonly SecurityGroup[]>;
  readonly s3PrefixList: Observed<string | null>;
  /** The evidence bucket; null while the stage was never deployed. */
  readonly bucket: Observed<string | null>;
}

/** Looks at everything that `existingFindings` judges. Changes nothing. */
export async function observeExisting(
  place: ExistingPlace,
  account: Account,
  bucket: Observed<string | null>,
): Promise<ExistingObservation> {
  const { name, vpcId, region } = place;
  const [cluster, addon, vpcs, dns, subnets, tables, endpoints, s3PrefixList] = await Promise.all([
    account.cluster(name),
    account.addon(name, CNI_ADDON),
    account.vpcs(),
    account.vpcDns(vpcId),
    account.subnets(place.subnetIds),
    account.routeTables(vpcId),
    account.endpoints(vpcId),
    account.prefixList(serviceName(region, "s3")),
  ]);
  const groupIds = new Set([
    place.securityGroupId,
    ...(cluster.kind === "seen" ? (cluster.value?.groupIds ?? []) : []),
    ...(endpoints.kind === "seen" ? endpoints.value.flatMap((each) => each.groupIds) : []),
  ]);
  const groups = await account.securityGroups([...groupIds]);
  return { cluster, addon, vpcs, dns, subnets, tables, endpoints, groups, s3PrefixList, bucket };
}

/** What has to be true for the product to be deployed into an existing cluster, check by check. */
export function existingFindings(
  settings: ExistingPlace,
  observed: ExistingObservation,
): readonly Finding[] {
  const place = { ...settings, groupId: settings.securityGroupId };
  const { cluster, addon, vpcs, dns, subnets, tables, endpoints, groups, bucket } = observed;
  const needed = settings.endpoints;
  return [
    ...clusterFindings(place, cluster),
    ...clusterNetworkFindings(settings, cluster),
    ...clusterAdmission(settings, observed),
    ...cniFindings(place, cluster, addon),
    ...vpcFindings(place, vpcs, dns),
    ...subnetFindings(place, subnets),
    ...wayOutFindings(place, subnets, tables),
    ...functionsGroupFindings(place, observed, needed),
    ...s3EndpointFindings(place, endpoints, bucket),
    ...s3RouteFindings(place, subnets, tables),
    ...needed.flatMap((each) => [
      ...endpointFindings(place, each, endpoints),
      ...admissionFindings(place, each, endpoints, groups, subnets),
    ]),
  ];
}

function clusterNetworkFindings(
  { name, vpcId }: ExistingPlace,
  observed: Observed<EksCluster | null>,
): readonly Finding[] {
  const { hidden, ok, wrong, unknown } = about("cluster-network", subjectOf(name), "stops");
  if (observed.kind === "unseen") return [hidden(observed)];
  if (observed.value === null) return [];
  const { vpcId: its } = observed.value;
  if (its === null) return [unknown("EKS names no VPC of it", "Look which VPC it is in.")];
  if (its === vpcId) return [ok(`it is in VPC ${vpcId}, as the functions are`)];
  return [
    wrong(
      `it is in VPC ${its}, the functions would be in ${vpcId}`,
      `Put ${its} into cluster.existing.vpcId of stages.ts, with subnets, group and S3 endpoint of it.`,
    ),
  ];
}

function clusterAdmission(
  settings: ExistingPlace,
  { cluster, groups, subnets }: ExistingObservation,
): readonly Finding[] {
  const of = { check: "cluster-admits-functions", subject: subjectOf(settings.name) };
  if (cluster.kind === "unseen") return [about(of.check, of.subject, "stops").hidden(cluster)];
  if (cluster.value === null) return [];
  const place = { ...settings, groupId: settings.securityGroupId };
  return [admission(of, place, cluster.value.groupIds, [groups, subnets])];
}
