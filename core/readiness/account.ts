import type { Observed } from "./finding.ts";

/*
 * What AWS shows of an account, reduced to what decides something here, and the port through which
 * it is looked at. Looking changes nothing. Null is what AWS did not say.
 */

export interface EksCluster {
  readonly name: string;
  readonly status: string | null;
  /** As `1.35`. */
  readonly version: string | null;
  /** API, API_AND_CONFIG_MAP or CONFIG_MAP. */
  readonly authenticationMode: string | null;
  readonly privateEndpoint: boolean | null;
  readonly publicEndpoint: boolean | null;
  readonly publicRanges: readonly string[];
  readonly vpcId: string | null;
  readonly subnetIds: readonly string[];
  /** Of the control plane's interfaces: EKS' own group first, then those that were added. */
  readonly groupIds: readonly string[];
  /** Types of control-plane log that are on, as `audit`. */
  readonly logs: readonly string[];
  /** The KMS key around the secrets that the account owns. */
  readonly keyArn: string | null;
  /** EKS Auto Mode runs the CNI itself, without an add-on. */
  readonly autoMode: boolean;
  readonly tags: Readonly<Record<string, string>>;
}

export interface Addon {
  readonly status: string | null;
  /** As `v1.21.1-eksbuild.1`. */
  readonly version: string | null;
  /** What was configured, parsed; null when nothing was, or nothing that can be read. */
  readonly configuration: Readonly<Record<string, unknown>> | null;
}

export interface Vpc {
  readonly id: string;
  /** Its IPv4 ranges. */
  readonly ranges: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
}

export interface VpcDns {
  readonly support: boolean;
  readonly hostnames: boolean;
}

export interface Subnet {
  readonly id: string;
  readonly vpcId: string;
  readonly zone: string;
  readonly range: string;
}

export interface RouteTable {
  readonly id: string;
  /** Used by every subnet that is in no table's list. */
  readonly main: boolean;
  readonly subnetIds: readonly string[];
  readonly routes: readonly Route[];
}

export interface Route {
  /** A CIDR or the id of a prefix list. */
  readonly destination: string;
  /** Where it leads, as `local`, `igw-…` or `nat-…`. */
  readonly target: string;
}

export interface SecurityGroup {
  readonly id: string;
  readonly vpcId: string;
  readonly inbound: readonly GroupRule[];
  readonly outbound: readonly GroupRule[];
}

/** One permission: ports, and whom they are open to. */
export interface GroupRule {
  /** `-1` for all, a name or a number. */
  readonly protocol: string;
  /** Null where the protocol has no ports, or all of them are meant. */
  readonly ports: { readonly from: number; readonly to: number } | null;
  readonly groupIds: readonly string[];
  readonly ranges: readonly string[];
  readonly prefixListIds: readonly string[];
}

export interface VpcEndpoint {
  readonly id: string;
  readonly vpcId: string;
  /** As `com.amazonaws.eu-west-1.eks`. */
  readonly service: string;
  /** Interface, Gateway, … */
  readonly type: string;
  readonly state: string;
  readonly privateDns: boolean;
  readonly groupIds: readonly string[];
  /** The policy document, parsed; null when there is none that can be read. */
  readonly policy: unknown;
}

export interface EndpointService {
  readonly name: string;
  readonly types: readonly string[];
  readonly zones: readonly string[];
}

/** One account in one region. */
export interface Account {
  /** Null when there is none of that name. */
  cluster(name: string): Promise<Observed<EksCluster | null>>;
  /** Null when the cluster does not have the add-on. */
  addon(clusterName: string, addonName: string): Promise<Observed<Addon | null>>;
  /** Kubernetes versions that EKS offers for new clusters. */
  clusterVersions(): Promise<Observed<readonly string[]>>;
  vpcs(): Promise<Observed<readonly Vpc[]>>;
  vpcDns(vpcId: string): Promise<Observed<VpcDns>>;
  /** Those of the ids that exist. */
  subnets(ids: readonly string[]): Promise<Observed<readonly Subnet[]>>;
  routeTables(vpcId: string): Promise<Observed<readonly RouteTable[]>>;
  /** Those of the ids that this account shows. */
  securityGroups(ids: readonly string[]): Promise<Observed<readonly SecurityGroup[]>>;
  endpoints(vpcId: string): Promise<Observed<readonly VpcEndpoint[]>>;
  /** Services that endpoints can be made for. */
  endpointServices(): Promise<Observed<readonly EndpointService[]>>;
  /** Names of the availability zones that can be used. */
  zones(): Promise<Observed<readonly string[]>>;
  /** Zones in which an instance type is offered. */
  zonesOffering(instanceType: string): Promise<Observed<readonly string[]>>;
  /** The id of AWS's own prefix list of that name; null when there is none. */
  prefixList(name: string): Promise<Observed<string | null>>;
}
