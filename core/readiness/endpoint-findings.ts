import type { SecurityGroup, Subnet, VpcEndpoint } from "./account.ts";
import { awsIn, json } from "./commands.ts";
import { passageOf, policyAdmitting } from "./endpoint-policy.ts";
import { about, both, type Finding, type Observed } from "./finding.ts";
import type { NetworkPlace } from "./network.ts";
import { type NeededEndpoint, serviceName } from "./place.ts";
import { lets } from "./security-groups.ts";

/** The network of the functions, with the group that they run in. */
export interface FunctionsPlace extends NetworkPlace {
  readonly groupId: string;
}

/** The endpoint of S3 that the settings name is one, is this VPC's, and lets evidence through. */
export function s3EndpointFindings(
  place: NetworkPlace & { readonly s3EndpointId: string },
  endpoints: Observed<readonly VpcEndpoint[]>,
  bucket: Observed<string | null>,
): readonly Finding[] {
  const { region, vpcId, s3EndpointId: id } = place;
  const subject = `endpoint ${id}`;
  const aws = awsIn(region);
  const service = serviceName(region, "s3");
  const exists = about("s3-endpoint", subject, "stops");
  const found = exists.judge(endpoints, (all) => {
    const endpoint = all.find((each) => each.id === id);
    const advice = `Name the gateway endpoint of S3 of VPC ${vpcId} as s3EndpointId in stages.ts. If there is none, make one:`;
    const create = aws(
      `ec2 create-vpc-endpoint --vpc-id ${vpcId} --vpc-endpoint-type Gateway --service-name ${service}`,
    );
    if (!endpoint) return exists.wrong(`VPC ${vpcId} has no such endpoint`, advice, create);
    if (endpoint.service !== service || endpoint.type !== "Gateway") {
      return exists.wrong(`it is of ${endpoint.service}, ${endpoint.type}`, advice, create);
    }
    if (endpoint.state.toLowerCase() !== "available") {
      return exists.wrong(
        `it is ${endpoint.state}, not available`,
        "Wait, or look why.",
        aws(`ec2 describe-vpc-endpoints --vpc-endpoint-ids ${id}`),
      );
    }
    return exists.ok(`the gateway endpoint of S3 of VPC ${vpcId}`);
  });
  if (found.outcome !== "ok") return [found];
  return [found, s3Policy(place, both(endpoints, bucket))];
}

function s3Policy(
  { region, s3EndpointId: id }: NetworkPlace & { readonly s3EndpointId: string },
  observed: Observed<readonly [readonly VpcEndpoint[], string | null]>,
): Finding {
  const { judge, ok, wrong, unknown } = about("s3-endpoint-policy", `endpoint ${id}`, "stops");
  return judge(observed, ([all, bucket]) => {
    const policy = all.find((each) => each.id === id)?.policy;
    const passage = passageOf(policy, bucket);
    const named = bucket === null ? "any bucket" : bucket;
    if (passage.passes === "yes") return ok(`its policy lets ${named} through`);
    if (passage.passes === "unclear") {
      return unknown(
        `whether its policy lets the evidence bucket through is not certain: ${passage.why}`,
        bucket === null
          ? "The bucket gets its name when the stage is deployed; look again then."
          : `Make sure that the functions' roles may use ${bucket} through it.`,
        awsIn(region)(
          `ec2 describe-vpc-endpoints --vpc-endpoint-ids ${id} --query 'VpcEndpoints[0].PolicyDocument' --output text`,
        ),
      );
    }
    const admitting = json(policyAdmitting(policy, bucket ?? ""));
    return wrong(
      `its policy does not let ${passage.refused.join(", ")} on ${named} through`,
      "Add the evidence bucket to the policy. This is the policy as it is, with a statement more; a Deny in it must be narrowed by hand.",
      awsIn(region)(
        `ec2 modify-vpc-endpoint --vpc-endpoint-id ${id} --policy-document ${admitting}`,
      ),
    );
  });
}

/** The endpoint of a service is in the VPC, and its name leads there. */
export function endpointFindings(
  place: NetworkPlace,
  needed: NeededEndpoint,
  endpoints: Observed<readonly VpcEndpoint[]>,
): readonly Finding[] {
  const { region, vpcId, subnetIds } = place;
  const aws = awsIn(region);
  const service = serviceName(region, needed.service);
  const exists = about("interface-endpoint", service, "stops");
  if (endpoints.kind === "unseen") return [exists.hidden(endpoints)];
  const endpoint = endpointOf(service, endpoints.value);
  if (!endpoint) {
    const others = endpoints.value.flatMap(({ groupIds }) => groupIds);
    const groups = [...new Set(others)].join(" ") || "'<group that admits the functions on 443>'";
    return [
      exists.wrong(
        `VPC ${vpcId} has no available interface endpoint for it`,
        `${needed.callers.join(" and ")} call it (${needed.why}), and nothing else leads there. Make one, in the groups of the other endpoints:`,
        aws(
          `ec2 create-vpc-endpoint --vpc-id ${vpcId} --vpc-endpoint-type Interface --service-name ${service} --private-dns-enabled --subnet-ids ${subnetIds.join(" ")} --security-group-ids ${groups}`,
        ),
      ),
    ];
  }
  const dns = about("endpoint-private-dns", `${service}, ${endpoint.id}`, "stops");
  return [
    exists.ok(`${endpoint.id} (${needed.why})`),
    endpoint.privateDns
      ? dns.ok("its name leads to the endpoint")
      : dns.wrong(
          "private DNS is off: the service's name leads to the internet, where the functions cannot go",
          "Turn private DNS on.",
          aws(`ec2 modify-vpc-endpoint --vpc-endpoint-id ${endpoint.id} --private-dns-enabled`),
        ),
  ];
}

/** The endpoint's groups admit the functions' group. Nothing is said of one that is not there. */
export function admissionFindings(
  place: FunctionsPlace,
  needed: NeededEndpoint,
  endpoints: Observed<readonly VpcEndpoint[]>,
  groups: Observed<readonly SecurityGroup[]>,
  subnets: Observed<readonly Subnet[]>,
): readonly Finding[] {
  const service = serviceName(place.region, needed.service);
  if (endpoints.kind === "unseen") return [];
  const endpoint = endpointOf(service, endpoints.value);
  if (!endpoint) return [];
  const subject = `${service}, ${endpoint.id}`;
  return [
    admission({ check: "endpoint-admits-functions", subject }, place, endpoint.groupIds, [
      groups,
      subnets,
    ]),
  ];
}

/** Whether one of several groups, which are all of the same interfaces, admits the functions. */
export function admission(
  of: { readonly check: string; readonly subject: string },
  { region, groupId, subnetIds }: FunctionsPlace,
  admitting: readonly string[],
  [groups, subnets]: readonly [Observed<readonly SecurityGroup[]>, Observed<readonly Subnet[]>],
): Finding {
  const { judge, ok, wrong, unknown } = about(of.check, of.subject, "stops");
  const [first] = admitting;
  if (first === undefined) {
    return unknown("AWS names no security group of it", "Look which group it has.");
  }
  return judge(both(groups, subnets), ([allGroups, allSubnets]) => {
    const found = allGroups.filter(({ id }) => admitting.includes(id));
    const ranges = allSubnets.filter(({ id }) => subnetIds.includes(id)).map(({ range }) => range);
    const complete = ranges.length === subnetIds.length;
    const peer = { groupIds: [groupId], ranges: complete ? ranges : [] };
    const answer = lets(
      found.flatMap(({ inbound }) => inbound),
      peer,
    );
    const show = awsIn(region)(`ec2 describe-security-groups --group-ids ${admitting.join(" ")}`);
    if (answer === "yes") return ok(`${admitting.join(", ")} admits ${groupId} on 443`);
    if (answer === "unknown" || found.length < admitting.length) {
      return unknown(
        found.length < admitting.length
          ? `not all of ${admitting.join(", ")} are shown to this account`
          : `whether ${admitting.join(", ")} admits ${groupId} depends on addresses that are not known here`,
        `One of them must admit ${groupId} on 443.`,
        show,
      );
    }
    return wrong(
      `none of ${admitting.join(", ")} admits ${groupId} on 443`,
      "Admit the functions' group:",
      awsIn(region)(
        `ec2 authorize-security-group-ingress --group-id ${first} --protocol tcp --port 443 --source-group ${groupId}`,
      ),
    );
  });
}

/** Of several endpoints of a service, the one that its name leads to. */
function endpointOf(service: string, endpoints: readonly VpcEndpoint[]): VpcEndpoint | undefined {
  const available = endpoints.filter(
    (each) =>
      each.service === service &&
      each.type === "Interface" &&
      each.state.toLowerCase() === "available",
  );
  return available.find(({ privateDns }) => privateDns) ?? available[0];
}
