import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EXISTING, healthyWorld, memoryAccount } from "../../test/memory/account.ts";
import type { EksCluster, GroupRule, VpcEndpoint } from "./account.ts";
import { type ExistingObservation, existingFindings, observeExisting } from "./existing.ts";
import { type Finding, type Observed, seen, unseen } from "./finding.ts";

async function healthy(): Promise<ExistingObservation> {
  const world = healthyWorld();
  return observeExisting(EXISTING, memoryAccount(world), world.bucket);
}

const observed = await healthy();

type Change = Partial<ExistingObservation>;

function whole<T>(part: Observed<T>): T {
  if (part.kind === "unseen") throw new Error(part.why);
  return part.value;
}

function cluster(change: Partial<EksCluster>): Change {
  const all = whole(observed.cluster);
  return all ? { cluster: seen({ ...all, ...change }) } : {};
}

function addon(change: object): Change {
  const all = whole(observed.addon);
  return all ? { addon: seen({ ...all, ...change }) } : {};
}

function endpoint(id: string, change: Partial<VpcEndpoint>): Change {
  const all = whole(observed.endpoints);
  return { endpoints: seen(all.map((each) => (each.id === id ? { ...each, ...change } : each))) };
}

function subnets(change: object): Change {
  const [first, second] = whole(observed.subnets);
  return first && second ? { subnets: seen([first, { ...second, ...change }]) } : {};
}

function routes(...added: readonly { destination: string; target: string }[]): Change {
  const tables = whole(observed.tables);
  return {
    tables: seen(
      tables.map((each) => (each.main ? { ...each, routes: [...each.routes, ...added] } : each)),
    ),
  };
}

function group(
  id: string,
  change: { inbound?: readonly GroupRule[]; outbound?: readonly GroupRule[]; vpcId?: string },
): Change {
  const all = whole(observed.groups);
  return { groups: seen(all.map((each) => (each.id === id ? { ...each, ...change } : each))) };
}

const ssh = { protocol: "tcp", ports: { from: 22, to: 22 }, ranges: ["0.0.0.0/0"] };
const onlySsh: GroupRule = { ...ssh, groupIds: ["sg-functions"], prefixListIds: [] };
const toPrefixList: GroupRule = {
  ...onlySsh,
  ports: null,
  ranges: [],
  groupIds: [],
  prefixListIds: ["pl-1"],
};

interface Row {
  readonly what: string;
  readonly change: Change;
  /** The one finding that changes. */
  readonly check: string;
  readonly severity: "stops" | "weakens";
  readonly saw: RegExp;
  /** The command that mends it; none where stages.ts is what has to change. */
  readonly command: string | null;
}

const WRONG: readonly Row[] = [
  {
    what: "the name of a cluster that is not there",
    change: { cluster: seen(null) },
    ...{ check: "cluster-exists", severity: "stops", saw: /no such cluster in eu-west-1/ },
    command: "aws eks list-clusters --region eu-west-1",
  },
  {
    what: "a cluster that is still being made",
    change: cluster({ status: "CREATING" }),
    ...{ check: "cluster-active", severity: "stops", saw: /CREATING/ },
    command: "aws eks wait cluster-active --name prod --region eu-west-1",
  },
  {
    what: "a cluster that knows aws-auth only",
    change: cluster({ authenticationMode: "CONFIG_MAP" }),
    ...{ check: "authentication-mode", severity: "stops", saw: /only the aws-auth ConfigMap/ },
    command:
      "aws eks update-cluster-config --name prod --access-config authenticationMode=API_AND_CONFIG_MAP --region eu-west-1",
  },
  {
    what: "an API server on the internet only",
    change: cluster({ privateEndpoint: false }),
    ...{ check: "private-endpoint", severity: "stops", saw: /from the internet only/ },
    command:
      "aws eks update-cluster-config --name prod --resources-vpc-config endpointPrivateAccess=true --region eu-west-1",
  },
  {
    what: "an API server on the internet as well",
    change: cluster({ publicEndpoint: true, publicRanges: ["0.0.0.0/0"] }),
    ...{ check: "public-endpoint", severity: "weakens", saw: /open to 0\.0\.0\.0\/0/ },
    command:
      "aws eks update-cluster-config --name prod --resources-vpc-config endpointPublicAccess=false,endpointPrivateAccess=true --region eu-west-1",
  },
  {
    what: "a version without SelfSubjectReview",
    change: cluster({ version: "1.27" }),
    ...{ check: "kubernetes-version", severity: "stops", saw: /1\.27 has no SelfSubjectReview/ },
    command:
      "aws eks update-cluster-version --name prod --kubernetes-version 1.28 --region eu-west-1",
  },
  {
    what: "no audit log",
    change: cluster({ logs: ["api"] }),
    ...{ check: "audit-log", severity: "weakens", saw: /audit log is off/ },
    command: `aws eks update-cluster-config --name prod --logging '{"clusterLogging":[{"types":["audit"],"enabled":true}]}' --region eu-west-1`,
  },
  {
    what: "a cluster in another VPC",
    change: cluster({ vpcId: "vpc-2" }),
    ...{ check: "cluster-network", severity: "stops", saw: /in VPC vpc-2/ },
    command: null,
  },
  {
    what: "a cluster that does not admit the functions",
    change: group("sg-cluster", { inbound: [onlySsh] }),
    ...{ check: "cluster-admits-functions", severity: "stops", saw: /admits sg-functions on 443/ },
    command:
      "aws ec2 authorize-security-group-ingress --group-id sg-cluster --protocol tcp --port 443 --source-group sg-functions --region eu-west-1",
  },
  {
    what: "a CNI that does not enforce",
    change: addon({ configuration: { env: { A: "1" } } }),
    ...{ check: "network-policy", severity: "weakens", saw: /nothing enforces them/ },
    command: `aws eks update-addon --cluster-name prod --addon-name vpc-cni --resolve-conflicts PRESERVE --configuration-values '{"env":{"A":"1"},"enableNetworkPolicy":"true"}' --region eu-west-1`,
  },
  {
    what: "a CNI add-on in trouble",
    change: addon({ status: "DEGRADED" }),
    ...{ check: "network-policy", severity: "weakens", saw: /DEGRADED/ },
    command:
      "aws eks describe-addon --cluster-name prod --addon-name vpc-cni --query addon.health --region eu-west-1",
  },
  {
    what: "a VPC that is not there",
    change: { vpcs: seen([]) },
    ...{ check: "vpc-exists", severity: "stops", saw: /no such VPC/ },
    command: "aws ec2 describe-vpcs --query 'Vpcs[].[VpcId,CidrBlock]' --region eu-west-1",
  },
  {
    what: "a VPC whose names do not lead to endpoints",
    change: { dns: seen({ support: true, hostnames: false }) },
    ...{ check: "vpc-dns", severity: "stops", saw: /DNS hostnames of the VPC is off/ },
    command: `aws ec2 modify-vpc-attribute --vpc-id vpc-1 --enable-dns-hostnames '{"Value":true}' --region eu-west-1`,
  },
  {
    what: "subnets of one zone",
    change: subnets({ zone: "eu-west-1a" }),
    ...{ check: "subnet-zones", severity: "stops", saw: /eu-west-1a only/ },
    command:
      "aws ec2 describe-subnets --filters Name=vpc-id,Values=vpc-1 --query 'Subnets[].[SubnetId,AvailabilityZone]' --region eu-west-1",
  },
  {
    what: "a route to the internet",
    change: routes({ destination: "0.0.0.0/0", target: "nat-1" }),
    ...{ check: "no-way-out", severity: "weakens", saw: /rtb-main .*0\.0\.0\.0\/0 to nat-1/ },
    command:
      "aws ec2 delete-route --route-table-id rtb-main --destination-cidr-block 0.0.0.0/0 --region eu-west-1",
  },
  {
    what: "a route to the internet over IPv6",
    change: routes({ destination: "::/0", target: "eigw-1" }),
    ...{ check: "no-way-out", severity: "weakens", saw: /::\/0 to eigw-1/ },
    command:
      "aws ec2 delete-route --route-table-id rtb-main --destination-ipv6-cidr-block ::/0 --region eu-west-1",
  },
  {
    what: "a functions' group of another VPC",
    change: group("sg-functions", { vpcId: "vpc-2" }),
    ...{ check: "functions-group", severity: "stops", saw: /in VPC vpc-2/ },
    command:
      "aws ec2 describe-security-groups --filters Name=vpc-id,Values=vpc-1 --query 'SecurityGroups[].[GroupId,GroupName]' --region eu-west-1",
  },
  {
    what: "a functions' group that does not let out to S3",
    change: group("sg-functions", {
      outbound: [{ ...onlySsh, ports: null, ranges: [], groupIds: ["sg-cluster", "sg-endpoints"] }],
    }),
    ...{ check: "functions-group-egress", severity: "stops", saw: /443 out to S3$/ },
    command:
      "aws ec2 authorize-security-group-egress --group-id sg-functions --ip-permissions 'IpProtocol=tcp,FromPort=443,ToPort=443,PrefixListIds=[{PrefixListId=pl-s3}]' --region eu-west-1",
  },
  {
    what: "an S3 endpoint that is another service's",
    change: endpoint("vpce-s3", { service: "com.amazonaws.eu-west-1.dynamodb" }),
    ...{ check: "s3-endpoint", severity: "stops", saw: /dynamodb/ },
    command:
      "aws ec2 create-vpc-endpoint --vpc-id vpc-1 --vpc-endpoint-type Gateway --service-name com.amazonaws.eu-west-1.s3 --region eu-west-1",
  },
  {
    what: "an S3 endpoint that lets other buckets through",
    change: endpoint("vpce-s3", {
      policy: {
        Statement: [
          { Effect: "Allow", Principal: "*", Action: "s3:*", Resource: "arn:aws:s3:::other/*" },
        ],
      },
    }),
    ...{ check: "s3-endpoint-policy", severity: "stops", saw: /s3:PutObject.* on evidence-1/ },
    command: `aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-s3 --policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:*"],"Resource":["arn:aws:s3:::other/*"]},{"Effect":"Allow","Principal":"*","Action":["s3:ListBucket","s3:ListBucketVersions","s3:GetObject","s3:GetObjectVersion","s3:PutObject","s3:DeleteObject"],"Resource":["arn:aws:s3:::evidence-1","arn:aws:s3:::evidence-1/*"]}]}' --region eu-west-1`,
  },
  {
    what: "a missing endpoint",
    change: endpoint("vpce-events", { state: "deleting" }),
    ...{ check: "interface-endpoint", severity: "stops", saw: /no available interface endpoint/ },
    command:
      "aws ec2 create-vpc-endpoint --vpc-id vpc-1 --vpc-endpoint-type Interface --service-name com.amazonaws.eu-west-1.events --private-dns-enabled --subnet-ids subnet-a subnet-b --security-group-ids sg-endpoints --region eu-west-1",
  },
  {
    what: "an endpoint that its name does not lead to",
    change: endpoint("vpce-ec2", { privateDns: false }),
    ...{ check: "endpoint-private-dns", severity: "stops", saw: /private DNS is off/ },
    command:
      "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-ec2 --private-dns-enabled --region eu-west-1",
  },
];

const keyOf = ({ check, subject }: Finding) => `${check} ${subject}`;

function broken(change: Change): readonly Finding[] {
  return existingFindings(EXISTING, { ...observed, ...change });
}

const notOk = (findings: readonly Finding[]) => findings.filter(({ outcome }) => outcome !== "ok");

test("a network and a cluster as they should be are ok in every check", () => {
  expect(notOk(existingFindings(EXISTING, observed))).toEqual([]);
});

describe("one thing wrong is one finding, with the command that mends it", () => {
  test.each(WRONG)("$what", ({ change, check, severity, saw, command }) => {
    const [finding, ...others] = notOk(broken(change));

    expect(others).toEqual([]);
    expect(finding).toMatchObject({ check, severity, outcome: "wrong" });
    expect(finding?.saw).toMatch(saw);
    const commands = finding && "remedy" in finding ? finding.remedy.commands : [];
    if (command === null) expect(commands).toEqual([]);
    else expect(commands).toContain(command);
  });

  test("a CNI that is too old for ClusterNetworkPolicy is told which version to take", () => {
    const [finding, ...others] = notOk(broken(addon({ version: "v1.18.3-eksbuild.1" })));

    expect(others).toEqual([]);
    expect(finding).toMatchObject({ check: "admin-tier", severity: "weakens", outcome: "wrong" });
    expect(JSON.stringify(finding)).toContain("describe-addon-versions --addon-name vpc-cni");
  });

  test("endpoints that share a group are as shut as it is", () => {
    const findings = notOk(broken(group("sg-endpoints", { inbound: [] })));

    expect(findings.map(({ check }) => check)).toEqual(
      EXISTING.endpoints.map(() => "endpoint-admits-functions"),
    );
  });

  test("a subnet of another VPC is not judged by the routes of this one", () => {
    const findings = broken(subnets({ vpcId: "vpc-2" }));

    expect(notOk(findings).map(keyOf)).toEqual(["subnet-in-vpc subnet subnet-b"]);
    expect(findings.map(keyOf)).not.toContain("s3-route subnet subnet-b");
  });

  test("without the route to S3 no evidence can be written", () => {
    const tables = whole(observed.tables).map((each) => ({ ...each, routes: [] }));

    const wrong = notOk(broken({ tables: seen(tables) }));

    expect(wrong.map(keyOf)).toEqual(["s3-route subnet subnet-a", "s3-route subnet subnet-b"]);
    expect(JSON.stringify(wrong)).toContain("--add-route-table-ids rtb-a");
  });
});

describe("what cannot be told is unknown", () => {
  test.each<[what: string, change: Change, check: string]>([
    ["a version newer than the tested one", cluster({ version: "1.36" }), "kubernetes-version"],
    ["no authentication mode", cluster({ authenticationMode: null }), "authentication-mode"],
    ["a CNI that is no add-on", { addon: seen(null) }, "network-policy"],
    ["EKS Auto Mode", cluster({ autoMode: true }), "network-policy"],
    [
      "a default route to somewhere",
      routes({ destination: "0.0.0.0/0", target: "tgw-1" }),
      "no-way-out",
    ],
    [
      "rules for a prefix list",
      group("sg-cluster", { inbound: [toPrefixList] }),
      "cluster-admits-functions",
    ],
    [
      "an S3 policy with a condition",
      endpoint("vpce-s3", {
        policy: {
          Statement: [
            {
              Effect: "Allow",
              Principal: "*",
              Action: "*",
              Resource: "*",
              Condition: { Bool: {} },
            },
          ],
        },
      }),
      "s3-endpoint-policy",
    ],
    [
      "an S3 policy that names buckets before ours has a name",
      {
        bucket: seen(null),
        ...endpoint("vpce-s3", {
          policy: {
            Statement: [
              { Effect: "Allow", Principal: "*", Action: "*", Resource: "arn:aws:s3:::a*" },
            ],
          },
        }),
      },
      "s3-endpoint-policy",
    ],
  ])("%s", (_what, change, check) => {
    const findings = notOk(broken(change));

    expect(findings).toEqual([expect.objectContaining({ check, outcome: "unknown" })]);
  });

  test("what was not allowed to be looked at, with the action that is missing", () => {
    const why = "not allowed to look: needs ec2:DescribeRouteTables";

    const findings = notOk(broken({ tables: unseen(why) }));

    expect(new Set(findings.map(({ check }) => check))).toEqual(
      new Set(["no-way-out", "s3-route"]),
    );
    for (const finding of findings) expect(finding).toMatchObject({ outcome: "unknown", saw: why });
  });

  test("nothing at all: no check says ok", () => {
    const hidden = unseen("no credentials");
    const nothing: ExistingObservation = {
      ...{ cluster: hidden, addon: hidden, vpcs: hidden, dns: hidden, subnets: hidden },
      ...{ tables: hidden, endpoints: hidden, groups: hidden, s3PrefixList: hidden },
      bucket: hidden,
    };

    const findings = existingFindings(EXISTING, nothing);

    expect(new Set(findings.map(({ outcome }) => outcome))).toEqual(new Set(["unknown"]));
  });

  test("no ok depends on anything that was not seen", () => {
    const parts = Object.keys(observed) as (keyof ExistingObservation)[];
    fc.assert(
      fc.property(
        fc.subarray(parts),
        fc.array(fc.constantFrom(...WRONG.map(({ change }) => change)), { maxLength: 4 }),
        (hidden, changes) => {
          const truth: ExistingObservation = Object.assign({}, observed, ...changes);
          const partly = { ...truth };
          for (const part of hidden) partly[part] = unseen("hidden");

          const inTruth = new Map(
            existingFindings(EXISTING, truth).map((each) => [keyOf(each), each.outcome]),
          );
          for (const finding of existingFindings(EXISTING, partly)) {
            if (finding.outcome === "ok") expect(inTruth.get(keyOf(finding)) ?? "ok").toBe("ok");
          }
        },
      ),
    );
  });
});
