import type {
  Account,
  Addon,
  EksCluster,
  RouteTable,
  Subnet,
  Vpc,
  VpcDns,
  VpcEndpoint,
} from "./account.ts";
import { type ClusterPlace, clusterFindings, subjectOf } from "./cluster.ts";
import { CNI_ADDON, cniFindings } from "./cni.ts";
import { endpointFindings } from "./endpoint-findings.ts";
import { about, type Finding, type Observed, seen } from "./finding.ts";
import { subnetFindings, vpcFindings, wayOutFindings } from "./network.ts";
import type { NeededEndpoint } from "./place.ts";

/*
 * A cluster and a network that the stage itself made: are they still as it made them? A route to the
 * internet that somebody added last week is in no template.
 */

/** What was seen of the network; nothing while EKS names no VPC of the cluster. */
export interface BuiltObservation {
  readonly cluster: EksCluster;
  readonly addon: Observed<Addon | null>;
  readonly network: null | {
    readonly vpcId: string;
    readonly vpcs: Observed<readonly Vpc[]>;
    readonly dns: Observed<VpcDns>;
    readonly subnets: Observed<readonly Subnet[]>;
    readonly tables: Observed<readonly RouteTable[]>;
    readonly endpoints: Observed<readonly VpcEndpoint[]>;
  };
}

/** Looks at everything that `builtFindings` judges. Changes nothing. */
export async function observeBuilt(
  cluster: EksCluster,
  account: Account,
): Promise<BuiltObservation> {
  const addon = await account.addon(cluster.name, CNI_ADDON);
  const { vpcId } = cluster;
  if (vpcId === null) return { cluster, addon, network: null };
  const [vpcs, dns, subnets, tables, endpoints] = await Promise.all([
    account.vpcs(),
    account.vpcDns(vpcId),
    account.subnets(cluster.subnetIds),
    account.routeTables(vpcId),
    account.endpoints(vpcId),
  ]);
  return { cluster, addon, network: { vpcId, vpcs, dns, subnets, tables, endpoints } };
}

export function builtFindings(
  place: ClusterPlace,
  observed: BuiltObservation,
  needed: readonly NeededEndpoint[],
): readonly Finding[] {
  // Nothing here stops a deployment, which may well be what mends it.
  return findingsOf(place, observed, needed).map((finding) =>
    finding.outcome !== "ok" && finding.severity === "stops"
      ? { ...finding, severity: "breaks" }
      : finding,
  );
}

function findingsOf(
  place: ClusterPlace,
  { cluster, addon, network }: BuiltObservation,
  needed: readonly NeededEndpoint[],
): readonly Finding[] {
  const own = [
    ...clusterFindings(place, seen(cluster)),
    ...cniFindings(place, seen(cluster), addon),
  ];
  if (network === null) {
    const { unknown } = about("cluster-network", subjectOf(place.name), "weakens");
    return [...own, unknown("EKS names no VPC of it", "Look which VPC it is in.")];
  }
  const { vpcId, vpcs, dns, subnets, tables, endpoints } = network;
  const where = { region: place.region, vpcId, subnetIds: cluster.subnetIds };
  return [
    ...own,
    ...vpcFindings(where, vpcs, dns),
    ...subnetFindings(where, subnets),
    ...wayOutFindings(where, subnets, tables),
    ...needed.flatMap((each) => endpointFindings(where, each, endpoints)),
  ];
}
