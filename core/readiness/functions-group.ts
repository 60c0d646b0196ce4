import type { EksCluster, SecurityGroup, VpcEndpoint } from "./account.ts";
import { awsIn } from "./commands.ts";
import type { FunctionsPlace } from "./endpoint-findings.ts";
import { about, both, type Finding, type Observed } from "./finding.ts";
import { type NeededEndpoint, serviceName } from "./place.ts";
import { HTTPS, lets, letsOutTo } from "./security-groups.ts";

/** The functions' group is there, in the VPC, and lets out what the functions call. */
export function functionsGroupFindings(
  place: FunctionsPlace,
  observed: {
    readonly cluster: Observed<EksCluster | null>;
    readonly endpoints: Observed<readonly VpcEndpoint[]>;
    readonly groups: Observed<readonly SecurityGroup[]>;
    readonly s3PrefixList: Observed<string | null>;
  },
  needed: readonly NeededEndpoint[],
): readonly Finding[] {
  const { region, vpcId, groupId } = place;
  const subject = `security group ${groupId}`;
  const exists = about("functions-group", subject, "stops");
  const found = exists.judge(observed.groups, (all) => {
    const group = all.find(({ id }) => id === groupId);
    const advice = "Correct securityGroupId in stages.ts. The VPC has these:";
    const list = awsIn(region)(
      `ec2 describe-security-groups --filters Name=vpc-id,Values=${vpcId} --query 'SecurityGroups[].[GroupId,GroupName]'`,
    );
    if (!group) return exists.wrong(`there is no such group in ${region}`, advice, list);
    if (group.vpcId !== vpcId) return exists.wrong(`it is in VPC ${group.vpcId}`, advice, list);
    return exists.ok(`it is there, in VPC ${vpcId}`);
  });
  if (found.outcome !== "ok") return [found];

  const egress = about("functions-group-egress", subject, "stops");
  const all = both(
    both(observed.cluster, observed.endpoints),
    both(observed.groups, observed.s3PrefixList),
  );
  return [
    found,
    egress.judge(all, ([[cluster, endpoints], [groups, prefixList]]) => {
      const outbound = groups.find(({ id }) => id === groupId)?.outbound ?? [];
      const services = new Set(needed.map(({ service }) => serviceName(region, service)));
      const destinations = [
        ...(cluster ? [{ of: `cluster ${cluster.name}`, groupIds: cluster.groupIds }] : []),
        ...endpoints
          .filter(({ service }) => services.has(service))
          .map(({ service, groupIds }) => ({ of: service, groupIds })),
      ].map((each) => ({ ...each, answer: lets(outbound, { ...each, ranges: [] }) }));
      const shut = destinations.filter(({ answer }) => answer === "no");
      const s3Shut = prefixList !== null && !letsOutTo(outbound, prefixList);
      if (shut.length > 0 || s3Shut) {
        const toS3 = s3Shut ? [{ of: "S3", groupIds: [] }] : [];
        return egress.wrong(
          `it does not let 443 out to ${[...shut, ...toS3].map(({ of }) => of).join(", ")}`,
          "Let it out:",
          ...shut.flatMap(({ groupIds: [first = "<its group>"] }) =>
            awsIn(region)(egressCommand(groupId, `UserIdGroupPairs=[{GroupId=${first}}]`)),
          ),
          ...(s3Shut
            ? [
                awsIn(region)(
                  egressCommand(groupId, `PrefixListIds=[{PrefixListId=${prefixList}}]`),
                ),
              ]
            : []),
        );
      }
      if (prefixList === null || destinations.some(({ answer }) => answer === "unknown")) {
        return egress.unknown(
          "whether it lets 443 out to the cluster, the endpoints and S3 depends on addresses that are not known here",
          "It must.",
          awsIn(region)(
            `ec2 describe-security-groups --group-ids ${groupId} --query 'SecurityGroups[0].IpPermissionsEgress'`,
          ),
        );
      }
      return egress.ok("it lets 443 out to the cluster, the endpoints and S3");
    }),
  ];
}

function egressCommand(groupId: string, peer: string): string {
  return `ec2 authorize-security-group-egress --group-id ${groupId} --ip-permissions 'IpProtocol=tcp,FromPort=${HTTPS},ToPort=${HTTPS},${peer}'`;
}
