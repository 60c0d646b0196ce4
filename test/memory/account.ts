import type { Account } from "../../core/readiness/account.ts";
import type { ExistingObservation, ExistingPlace } from "../../core/readiness/existing.ts";
import { type Observed, seen } from "../../core/readiness/finding.ts";
import type { NewObservation, NewPlace } from "../../core/readiness/new.ts";

/** What there is to see of an account, for unit tests: everything is as it should be. */
export interface AccountWorld extends ExistingObservation, NewObservation {}

/** The account without AWS. Names and ids are asked for as of AWS: what is not meant is not there. */
export function memoryAccount(world: AccountWorld): Account {
  const kept = <T>(observed: Observed<readonly T[]>, keep: (each: T) => boolean) =>
    observed.kind === "seen" ? seen(observed.value.filter(keep)) : observed;
  return {
    cluster: async () => world.cluster,
    addon: async () => world.addon,
    clusterVersions: async () => world.versions,
    vpcs: async () => world.vpcs,
    vpcDns: async () => world.dns,
    subnets: async (ids) => kept(world.subnets, ({ id }) => ids.includes(id)),
    routeTables: async () => world.tables,
    securityGroups: async (ids) => kept(world.groups, ({ id }) => ids.includes(id)),
    endpoints: async (vpcId) => kept(world.endpoints, (each) => each.vpcId === vpcId),
    endpointServices: async () => world.services,
    zones: async () => world.zones,
    zonesOffering: async () => world.zonesOffering,
    prefixList: async () => world.s3PrefixList,
  };
}

const region = "eu-west-1";
const service = (name: string) => `com.amazonaws.${region}.${name}`;

/** The endpoints that the tests need; a stage's own list is in `stacks/endpoints.ts`. */
const endpoints = ["eks", "ec2", "events"].map((name) => ({
  service: name,
  callers: ["functions"],
  why: `${name} is called`,
}));

export const EXISTING: ExistingPlace = {
  region,
  name: "prod",
  vpcId: "vpc-1",
  subnetIds: ["subnet-a", "subnet-b"],
  securityGroupId: "sg-functions",
  s3EndpointId: "vpce-s3",
  endpoints,
};

export const NEW: NewPlace = {
  stage: "demo",
  region,
  name: "demo-cluster",
  version: "1.35",
  vpcCidr: "10.40.0.0/16",
  availabilityZones: ["eu-west-1a", "eu-west-1b"],
  s3PrefixListId: "pl-s3",
  instanceType: "m7g.large",
  endpoints,
};

const https = { protocol: "tcp", ports: { from: 443, to: 443 }, ranges: [], prefixListIds: [] };
const everything = { protocol: "-1", ports: null, groupIds: [], prefixListIds: [] };
const outbound = [{ ...everything, ranges: ["0.0.0.0/0"] }];

/** An account in which `EXISTING` can be deployed, and, without its cluster, `NEW`. */
export function healthyWorld(): AccountWorld {
  const admitsFunctions = [{ ...https, groupIds: ["sg-functions"] }];
  const routes = [
    { destination: "10.9.0.0/16", target: "local" },
    { destination: "pl-s3", target: "vpce-s3" },
  ];
  return {
    cluster: seen({
      name: "prod",
      status: "ACTIVE",
      version: "1.35",
      authenticationMode: "API",
      privateEndpoint: true,
      publicEndpoint: false,
      publicRanges: [],
      vpcId: "vpc-1",
      subnetIds: ["subnet-a", "subnet-b"],
      groupIds: ["sg-cluster"],
      logs: ["api", "audit"],
      keyArn: "arn:aws:kms:eu-west-1:111122223333:key/1",
      autoMode: false,
      tags: {},
    }),
    addon: seen({
      status: "ACTIVE",
      version: "v1.21.1-eksbuild.1",
      configuration: { enableNetworkPolicy: "true" },
    }),
    vpcs: seen([{ id: "vpc-1", ranges: ["10.9.0.0/16"], tags: {} }]),
    dns: seen({ support: true, hostnames: true }),
    subnets: seen([
      { id: "subnet-a", vpcId: "vpc-1", zone: "eu-west-1a", range: "10.9.1.0/24" },
      { id: "subnet-b", vpcId: "vpc-1", zone: "eu-west-1b", range: "10.9.2.0/24" },
    ]),
    tables: seen([
      { id: "rtb-main", main: true, subnetIds: [], routes },
      { id: "rtb-a", main: false, subnetIds: ["subnet-a"], routes },
    ]),
    groups: seen([
      { id: "sg-functions", vpcId: "vpc-1", inbound: [], outbound },
      { id: "sg-cluster", vpcId: "vpc-1", inbound: admitsFunctions, outbound },
      { id: "sg-endpoints", vpcId: "vpc-1", inbound: admitsFunctions, outbound },
    ]),
    endpoints: seen([
      {
        id: "vpce-s3",
        vpcId: "vpc-1",
        service: service("s3"),
        type: "Gateway",
        state: "available",
        privateDns: false,
        groupIds: [],
        policy: { Statement: [{ Effect: "Allow", Principal: "*", Action: "*", Resource: "*" }] },
      },
      ...endpoints.map((each) => ({
        id: `vpce-${each.service}`,
        vpcId: "vpc-1",
        service: service(each.service),
        type: "Interface",
        state: "available",
        privateDns: true,
        groupIds: ["sg-endpoints"],
        policy: null,
      })),
    ]),
    s3PrefixList: seen("pl-s3"),
    bucket: seen("evidence-1"),
    zones: seen(["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
    services: seen(
      endpoints.map((each) => ({
        name: service(each.service),
        types: ["Interface"],
        zones: ["eu-west-1a", "eu-west-1b", "eu-west-1c"],
      })),
    ),
    versions: seen(["1.34", "1.35"]),
    zonesOffering: seen(["eu-west-1a", "eu-west-1b"]),
  };
}
