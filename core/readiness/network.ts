import type { Route, RouteTable, Subnet, Vpc, VpcDns } from "./account.ts";
import { awsIn, json } from "./commands.ts";
import { about, both, type Finding, type Observed, type Severity } from "./finding.ts";

/** Where the functions run. */
export interface NetworkPlace {
  readonly region: string;
  readonly vpcId: string;
  readonly subnetIds: readonly string[];
}

/** The VPC exists, and names of AWS services lead to its endpoints. */
export function vpcFindings(
  { region, vpcId }: NetworkPlace,
  vpcs: Observed<readonly Vpc[]>,
  dns: Observed<VpcDns>,
): readonly Finding[] {
  const subject = `VPC ${vpcId}`;
  const aws = awsIn(region);
  const exists = about("vpc-exists", subject, "stops");
  const found = exists.judge(vpcs, (all) => {
    const vpc = all.find(({ id }) => id === vpcId);
    if (vpc) return exists.ok(`it is there, with ${vpc.ranges.join(", ")}`);
    return exists.wrong(
      `there is no such VPC in ${region}`,
      "Correct vpcId in stages.ts. These are there:",
      aws("ec2 describe-vpcs --query 'Vpcs[].[VpcId,CidrBlock]'"),
    );
  });
  if (found.outcome === "wrong") return [found];
  const resolves = about("vpc-dns", subject, "stops");
  return [
    found,
    resolves.judge(dns, ({ support, hostnames }) => {
      if (support && hostnames) return resolves.ok("DNS support and DNS hostnames are on");
      const off = [...(support ? [] : ["support"]), ...(hostnames ? [] : ["hostnames"])];
      return resolves.wrong(
        `DNS ${off.join(" and ")} of the VPC ${off.length > 1 ? "are" : "is"} off: names of AWS services do not lead to its endpoints`,
        "Turn it on; instances that run are not disturbed.",
        ...off.map((what) =>
          aws(
            `ec2 modify-vpc-attribute --vpc-id ${vpcId} --enable-dns-${what} ${json({ Value: true })}`,
          ),
        ),
      );
    }),
  ];
}

/** The subnets exist in the VPC, in two zones or more. */
export function subnetFindings(
  place: NetworkPlace,
  subnets: Observed<readonly Subnet[]>,
): readonly Finding[] {
  return [
    ...place.subnetIds.map((id) => subnetExists(place, id, subnets)),
    zonesOf(place, subnets),
  ];
}

function subnetExists(
  { region, vpcId }: NetworkPlace,
  subnetId: string,
  subnets: Observed<readonly Subnet[]>,
): Finding {
  const { judge, ok, wrong } = about("subnet-in-vpc", `subnet ${subnetId}`, "stops");
  const list = awsIn(region)(
    `ec2 describe-subnets --filters Name=vpc-id,Values=${vpcId} --query 'Subnets[].[SubnetId,AvailabilityZone,CidrBlock]'`,
  );
  return judge(subnets, (all) => {
    const subnet = all.find(({ id }) => id === subnetId);
    const advice = `Correct subnetIds in stages.ts. VPC ${vpcId} has these:`;
    if (!subnet) return wrong(`there is no such subnet in ${region}`, advice, list);
    if (subnet.vpcId !== vpcId) return wrong(`it is in VPC ${subnet.vpcId}`, advice, list);
    return ok(`${subnet.range} in ${subnet.zone}`);
  });
}

function zonesOf(
  { region, vpcId, subnetIds }: NetworkPlace,
  subnets: Observed<readonly Subnet[]>,
): Finding {
  const { judge, ok, wrong } = about("subnet-zones", `VPC ${vpcId}`, "stops");
  return judge(subnets, (all) => {
    const chosen = all.filter(({ id }) => subnetIds.includes(id));
    const zones = [...new Set(chosen.map(({ zone }) => zone))];
    if (zones.length >= 2) return ok(`the subnets are in ${zones.join(", ")}`);
    return wrong(
      `the subnets are in ${zones.length === 0 ? "no zone" : `${zones[0]} only`}`,
      "Name subnets of two zones or more in stages.ts: one may fail on the night of the incident.",
      awsIn(region)(
        `ec2 describe-subnets --filters Name=vpc-id,Values=${vpcId} --query 'Subnets[].[SubnetId,AvailabilityZone]'`,
      ),
    );
  });
}

/** What is asked of one subnet's route table. */
type RouteCheck = (subnetId: string, table: RouteTable) => Finding;

/**
 * Asks a question of each subnet's table: its own, or the VPC's main one. Nothing is asked of a
 * subnet that is not in the VPC: whose main table would it be?
 */
function ofTables(
  { vpcId, subnetIds }: NetworkPlace,
  subnets: Observed<readonly Subnet[]>,
  tables: Observed<readonly RouteTable[]>,
  [check, severity, ask]: readonly [check: string, severity: Severity, ask: RouteCheck],
): readonly Finding[] {
  return subnetIds.flatMap((subnetId) => {
    const { hidden, unknown } = about(check, `subnet ${subnetId}`, severity);
    const observed = both(subnets, tables);
    if (observed.kind === "unseen") return hidden(observed);
    const [allSubnets, allTables] = observed.value;
    if (!allSubnets.some(({ id, vpcId: of }) => id === subnetId && of === vpcId)) return [];
    const table =
      allTables.find((each) => each.subnetIds.includes(subnetId)) ??
      allTables.find(({ main }) => main);
    if (table) return ask(subnetId, table);
    return unknown("no route table of it was found", `Look at the tables of VPC ${vpcId}.`);
  });
}

const TO_INTERNET = /^(igw|eigw|nat)-/;
/** Leads within the VPC, or through one of its endpoints. */
const INSIDE = /^(local|vpce-.*)$/;

/** The subnets lead nowhere but into the VPC. */
export function wayOutFindings(
  place: NetworkPlace,
  subnets: Observed<readonly Subnet[]>,
  tables: Observed<readonly RouteTable[]>,
): readonly Finding[] {
  const aws = awsIn(place.region);
  return ofTables(place, subnets, tables, [
    "no-way-out",
    "weakens",
    (subnetId, table) => {
      const { ok, wrong, unknown } = about("no-way-out", `subnet ${subnetId}`, "weakens");
      const out = table.routes.filter(({ target }) => TO_INTERNET.test(target));
      if (out.length > 0) {
        return wrong(
          `${table.id} leads to the internet: ${out.map(written).join(", ")}`,
          "Whoever takes over a function can send evidence out. Name subnets without such a route in stages.ts, or, if nothing else in the subnet needs it, delete the route.",
          ...out.map((route) => aws(deleteRoute(table.id, route))),
        );
      }
      const unclear = table.routes.filter(isUnclear);
      if (unclear.length > 0) {
        return unknown(
          `${table.id} sends everything else on: ${unclear.map(written).join(", ")}; where that leads is not seen from this VPC`,
          "Make sure that it is not the internet, or name other subnets in stages.ts.",
        );
      }
      return ok(`${table.id} has no route to an internet gateway or NAT`);
    },
  ]);
}

function isUnclear({ destination, target }: Route): boolean {
  return (destination === "0.0.0.0/0" || destination === "::/0") && !INSIDE.test(target);
}

function written({ destination, target }: Route): string {
  return `${destination} to ${target}`;
}

function deleteRoute(tableId: string, { destination }: Route): string {
  const option = destination.startsWith("pl-")
    ? "prefix-list-id"
    : destination.includes(":")
      ? "ipv6-cidr-block"
      : "cidr-block";
  return `ec2 delete-route --route-table-id ${tableId} --destination-${option} ${destination}`;
}

/** Every subnet's table has the route of S3's gateway endpoint. */
export function s3RouteFindings(
  place: NetworkPlace & { readonly s3EndpointId: string },
  subnets: Observed<readonly Subnet[]>,
  tables: Observed<readonly RouteTable[]>,
): readonly Finding[] {
  const { region, s3EndpointId: endpointId } = place;
  return ofTables(place, subnets, tables, [
    "s3-route",
    "stops",
    (subnetId, table) => {
      const { ok, wrong } = about("s3-route", `subnet ${subnetId}`, "stops");
      if (table.routes.some(({ target }) => target === endpointId)) {
        return ok(`${table.id} leads to S3 through ${endpointId}`);
      }
      return wrong(
        `${table.id} has no route to S3 through ${endpointId}: no evidence could be written`,
        "Add the table to the endpoint.",
        awsIn(region)(
          `ec2 modify-vpc-endpoint --vpc-endpoint-id ${endpointId} --add-route-table-ids ${table.id}`,
        ),
      );
    },
  ]);
}
