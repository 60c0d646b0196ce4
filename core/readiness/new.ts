import { overlap, parseBlock } from "../quarantine/reach/ip.ts";
import type { Account, EksCluster, EndpointService, Vpc } from "./account.ts";
import { subjectOf } from "./cluster.ts";
import { awsIn } from "./commands.ts";
import { about, type Finding, type Observed } from "./finding.ts";
import { type NeededEndpoint, serviceName } from "./place.ts";

/** A cluster that the stage creates, with a network of its own. */
export interface NewPlace {
  readonly stage: string;
  readonly region: string;
  readonly name: string;
  readonly version: string;
  readonly vpcCidr: string;
  readonly availabilityZones: readonly string[];
  readonly s3PrefixListId: string;
  readonly instanceType: string;
  readonly endpoints: readonly NeededEndpoint[];
}

export interface NewObservation {
  readonly cluster: Observed<EksCluster | null>;
  readonly zones: Observed<readonly string[]>;
  readonly services: Observed<readonly EndpointService[]>;
  readonly s3PrefixList: Observed<string | null>;
  readonly versions: Observed<readonly string[]>;
  readonly vpcs: Observed<readonly Vpc[]>;
  readonly zonesOffering: Observed<readonly string[]>;
}

/** Looks at everything that `newFindings` judges. Changes nothing. */
export async function observeNew(place: NewPlace, account: Account): Promise<NewObservation> {
  const [cluster, zones, services, s3PrefixList, versions, vpcs, zonesOffering] = await Promise.all(
    [
      account.cluster(place.name),
      account.zones(),
      account.endpointServices(),
      account.prefixList(serviceName(place.region, "s3")),
      account.clusterVersions(),
      account.vpcs(),
      account.zonesOffering(place.instanceType),
    ],
  );
  return { cluster, zones, services, s3PrefixList, versions, vpcs, zonesOffering };
}

/** SST tags all that it deploys with app and stage. */
export function isOfStage(tags: Readonly<Record<string, string>>, stage: string): boolean {
  return tags["sst:app"] === "eks-containment" && tags["sst:stage"] === stage;
}

/** What has to be true of an account and a region for a new cluster to be made there. */
export function newFindings(place: NewPlace, observed: NewObservation): readonly Finding[] {
  const name = nameFree(place, observed.cluster);
  // What is only asked of a cluster that is still to be made.
  if (madeBefore(place, observed)) return [name, rangeFree(place, observed.vpcs)];
  return [
    name,
    versionOffered(place, observed.versions),
    zonesExist(place, observed.zones),
    instanceType(place, observed.zonesOffering),
    prefixList(place, observed.s3PrefixList),
    rangeFree(place, observed.vpcs),
    ...place.endpoints.map((needed) => serviceOffered(place, needed, observed.services)),
  ];
}

/** The cluster, when an earlier deployment of the stage made it. */
export function madeBefore({ stage }: NewPlace, { cluster }: NewObservation): EksCluster | null {
  const found = cluster.kind === "seen" ? cluster.value : null;
  return found !== null && isOfStage(found.tags, stage) ? found : null;
}

function nameFree(
  { name, region, stage }: NewPlace,
  observed: Observed<EksCluster | null>,
): Finding {
  const { judge, ok, wrong } = about("cluster-name", subjectOf(name), "stops");
  return judge(observed, (cluster) => {
    if (cluster === null) return ok(`the name is free in ${region}`);
    if (isOfStage(cluster.tags, stage)) return ok("it is there, and is this stage's own");
    return wrong(
      `there is a cluster of that name in ${region}, and it is not this stage's`,
      "Choose another cluster.create.name in stages.ts; or, if it is the cluster to protect, name it under cluster.existing.",
      awsIn(region)(`eks describe-cluster --name ${name} --query cluster.tags`),
    );
  });
}

function versionOffered(
  { version, region }: NewPlace,
  observed: Observed<readonly string[]>,
): Finding {
  const { judge, ok, wrong } = about("kubernetes-version", `Kubernetes ${version}`, "stops");
  return judge(observed, (versions) =>
    versions.includes(version)
      ? ok("EKS offers it for new clusters")
      : wrong(
          `EKS offers ${versions.join(", ")} in ${region}`,
          "Choose one of these as cluster.create.version in stages.ts.",
        ),
  );
}

function zonesExist(place: NewPlace, observed: Observed<readonly string[]>): Finding {
  const { region, availabilityZones } = place;
  const { judge, ok, wrong } = about("availability-zones", `region ${region}`, "stops");
  return judge(observed, (zones) => {
    const absent = availabilityZones.filter((zone) => !zones.includes(zone));
    if (absent.length === 0) return ok(`${availabilityZones.join(", ")} can be used`);
    return wrong(
      `${absent.join(", ")} cannot be used; the region has ${zones.join(", ")}`,
      "Name zones of the region as cluster.create.availabilityZones in stages.ts.",
    );
  });
}

function instanceType(place: NewPlace, observed: Observed<readonly string[]>): Finding {
  const { instanceType: type, availabilityZones } = place;
  const { judge, ok, wrong } = about("instance-type", type, "stops");
  return judge(observed, (zones) => {
    const without = availabilityZones.filter((zone) => !zones.includes(zone));
    if (without.length === 0) return ok(`offered in ${availabilityZones.join(", ")}`);
    return wrong(
      `not offered in ${without.join(", ")}`,
      "Choose another cluster.create.nodes.instanceType, or other zones, in stages.ts.",
      awsIn(place.region)(
        `ec2 describe-instance-type-offerings --location-type availability-zone --filters Name=location,Values=${without[0]} --query 'sort(InstanceTypeOfferings[].InstanceType)'`,
      ),
    );
  });
}

function prefixList(place: NewPlace, observed: Observed<string | null>): Finding {
  const { region, s3PrefixListId } = place;
  const { judge, ok, wrong } = about("s3-prefix-list", s3PrefixListId, "stops");
  return judge(observed, (id) => {
    if (id === s3PrefixListId) return ok(`S3's addresses in ${region}`);
    return id === null
      ? wrong(`${region} has no prefix list of S3`, "Choose another region in stages.ts.")
      : wrong(
          `S3's prefix list in ${region} is ${id}`,
          `Put ${id} into cluster.create.s3PrefixListId of stages.ts: the functions would not reach their evidence.`,
        );
  });
}

function rangeFree(place: NewPlace, observed: Observed<readonly Vpc[]>): Finding {
  const { vpcCidr, stage } = place;
  const { judge, ok, wrong, unknown } = about("vpc-range", vpcCidr, "weakens");
  return judge(observed, (vpcs) => {
    const wanted = parseBlock(vpcCidr);
    if (!wanted) return unknown("it is no range", "Correct cluster.create.vpcCidr in stages.ts.");
    const taken = vpcs.filter(
      ({ ranges, tags }) =>
        !isOfStage(tags, stage) &&
        ranges.some((range) => {
          const other = parseBlock(range);
          return other !== null && overlap(wanted, other);
        }),
    );
    if (taken.length === 0) return ok("no other VPC of the account uses these addresses");
    const named = taken.map(({ id, ranges }) => `${id} (${ranges.join(", ")})`).join(", ");
    return wrong(
      `it overlaps ${named}: the two can never be peered`,
      "Choose a cluster.create.vpcCidr in stages.ts that nobody uses, while there is no VPC yet.",
    );
  });
}

function serviceOffered(
  { region, availabilityZones }: NewPlace,
  { service, callers, why }: NeededEndpoint,
  observed: Observed<readonly EndpointService[]>,
): Finding {
  const name = serviceName(region, service);
  const { judge, ok, wrong } = about("endpoint-service", name, "stops");
  return judge(observed, (services) => {
    const offered = services.find((each) => each.name === name && each.types.includes("Interface"));
    if (!offered) {
      return wrong(
        `${region} offers no interface endpoint for it: a VPC without internet cannot reach it`,
        `${callers.join(" and ")} call it (${why}). Choose another region in stages.ts.`,
      );
    }
    const without = availabilityZones.filter((zone) => !offered.zones.includes(zone));
    if (without.length === 0) return ok(`offered in ${availabilityZones.join(", ")}`);
    return wrong(
      `not offered in ${without.join(", ")}; it is in ${offered.zones.join(", ")}`,
      "Choose other cluster.create.availabilityZones in stages.ts.",
    );
  });
}
