/** `containment doctor` and `sst deploy` on a network and a cluster that an operator has. */
import * as ec2 from "@aws-sdk/client-ec2";
import * as eks from "@aws-sdk/client-eks";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deployedStage } from "../../adapters/aws/deployed-stage.ts";
import type { Finding } from "../../core/readiness/finding.ts";
import { guardDeployment } from "../../stacks/preflight.ts";
import { parseStage } from "../../stages.ts";
import { aws } from "./harness.ts";
import {
  admitting,
  createEndpoint,
  EC2,
  EKS,
  type Network,
  network,
  type Operator,
  operator,
  powerless,
} from "./operator.ts";

const name = "their-cluster";
const region = `--region ${aws.region}`;
let engineer: Operator;
let net: Network;

beforeAll(async () => {
  engineer = await operator();
  net = await network(name);
  await engineer.edit({
    "prod-eks-1": name,
    "vpc-00000000": net.vpcId,
    "subnet-00000000": net.subnetIds[0],
    "subnet-00000001": net.subnetIds[1],
    "sg-00000000": net.functionsGroup,
    "vpce-00000000": net.s3EndpointId,
  });
});
afterAll(() => engineer.leave());

interface Report {
  readonly code: number;
  readonly findings: readonly Finding[];
}

async function doctor(stage = "existing"): Promise<Report> {
  const { code, out, err } = await engineer.containment("doctor", "--stage", stage, "--json");
  if (err !== "") throw new Error(err);
  return { code, findings: JSON.parse(out).findings };
}

async function configure(change: Partial<eks.UpdateClusterConfigCommandInput>): Promise<void> {
  await EKS.send(new eks.UpdateClusterConfigCommand({ name, ...change }));
}

async function configureCni(configurationValues: string): Promise<void> {
  const key = { clusterName: name, addonName: "vpc-cni" };
  await EKS.send(new eks.UpdateAddonCommand({ ...key, configurationValues }));
}

const notOk = (findings: readonly Finding[]) => findings.filter(({ outcome }) => outcome !== "ok");

test("a network and a cluster as they should be are ok in every check", async () => {
  const { code, findings } = await doctor();

  expect(notOk(findings)).toEqual([]);
  expect(code).toBe(0);
  expect(findings.length).toBeGreaterThan(25);
});

interface Broken {
  readonly what: string;
  breakIt(): Promise<unknown>;
  mend(): Promise<unknown>;
  readonly check: string;
  readonly severity: "stops" | "weakens";
  command(): string;
}

const table = () => ({ RouteTableId: net.tableId });
const clusterPeers = () => ({
  GroupId: net.clusterGroup,
  IpPermissions: admitting(net.functionsGroup),
});
const clusterConfig = (change: string) => `aws eks update-cluster-config --name ${name} ${change}`;

const BROKEN: readonly Broken[] = [
  {
    what: "aws-auth only",
    breakIt: () => configure({ accessConfig: { authenticationMode: "CONFIG_MAP" } }),
    mend: () => configure({ accessConfig: { authenticationMode: "API_AND_CONFIG_MAP" } }),
    ...{ check: "authentication-mode", severity: "stops" },
    command: () => clusterConfig("--access-config authenticationMode=API_AND_CONFIG_MAP"),
  },
  {
    what: "an API server on the internet only",
    breakIt: () => configure({ resourcesVpcConfig: { endpointPrivateAccess: false } }),
    mend: () => configure({ resourcesVpcConfig: { endpointPrivateAccess: true } }),
    ...{ check: "private-endpoint", severity: "stops" },
    command: () => clusterConfig("--resources-vpc-config endpointPrivateAccess=true"),
  },
  {
    what: "a CNI that does not enforce",
    breakIt: () => configureCni('{"enableNetworkPolicy":"false","env":{"WARM_IP_TARGET":"2"}}'),
    mend: () => configureCni('{"enableNetworkPolicy":"true"}'),
    ...{ check: "network-policy", severity: "weakens" },
    command: () =>
      `aws eks update-addon --cluster-name ${name} --addon-name vpc-cni --resolve-conflicts PRESERVE --configuration-values '{"enableNetworkPolicy":"true","env":{"WARM_IP_TARGET":"2"}}'`,
  },
  {
    what: "a cluster that does not admit the functions",
    breakIt: () => EC2.send(new ec2.RevokeSecurityGroupIngressCommand(clusterPeers())),
    mend: () => EC2.send(new ec2.AuthorizeSecurityGroupIngressCommand(clusterPeers())),
    ...{ check: "cluster-admits-functions", severity: "stops" },
    command: () =>
      `aws ec2 authorize-security-group-ingress --group-id ${net.clusterGroup} --protocol tcp --port 443 --source-group ${net.functionsGroup}`,
  },
  {
    what: "names that do not lead to endpoints",
    breakIt: () => dnsHostnames(false),
    mend: () => dnsHostnames(true),
    ...{ check: "vpc-dns", severity: "stops" },
    command: () =>
      `aws ec2 modify-vpc-attribute --vpc-id ${net.vpcId} --enable-dns-hostnames '{"Value":true}'`,
  },
  {
    what: "a missing endpoint",
    breakIt: () =>
      EC2.send(new ec2.DeleteVpcEndpointsCommand({ VpcEndpointIds: [endpointOf("events")] })),
    mend: () => createEndpoint(net, "events"),
    ...{ check: "interface-endpoint", severity: "stops" },
    command: () =>
      `aws ec2 create-vpc-endpoint --vpc-id ${net.vpcId} --vpc-endpoint-type Interface --service-name com.amazonaws.${aws.region}.events --private-dns-enabled --subnet-ids ${net.subnetIds.join(" ")} --security-group-ids ${net.endpointsGroup}`,
  },
];

function endpointOf(service: string): string {
  const id = net.endpointIds[service];
  if (!id) throw new Error(`no endpoint of ${service}`);
  return id;
}

async function dnsHostnames(Value: boolean): Promise<void> {
  const VpcId = net.vpcId;
  await EC2.send(new ec2.ModifyVpcAttributeCommand({ VpcId, EnableDnsHostnames: { Value } }));
}

describe("one thing wrong is one finding, with the command that mends it", () => {
  test.each(BROKEN)("$what", async ({ breakIt, mend, check, severity, command }) => {
    await breakIt();
    const { code, findings } = await doctor();
    await mend();

    expect(notOk(findings)).toEqual([
      expect.objectContaining({ check, severity, outcome: "wrong" }),
    ]);
    expect(JSON.stringify(findings)).toContain(JSON.stringify(`${command()} ${region}`));
    expect(code).toBe(1);
    expect(notOk((await doctor()).findings)).toEqual([]);
  });

  test("a route to the internet, in every subnet that has it", async () => {
    const { InternetGateway } = await EC2.send(new ec2.CreateInternetGatewayCommand({}));
    const GatewayId = InternetGateway?.InternetGatewayId;
    await EC2.send(
      new ec2.AttachInternetGatewayCommand({ VpcId: net.vpcId, InternetGatewayId: GatewayId }),
    );
    const route = { ...table(), DestinationCidrBlock: "0.0.0.0/0" };
    await EC2.send(new ec2.CreateRouteCommand({ ...route, GatewayId }));
    const { code, findings } = await doctor();
    await EC2.send(new ec2.DeleteRouteCommand(route));

    expect(notOk(findings)).toEqual(
      net.subnetIds.map((id) =>
        expect.objectContaining({ check: "no-way-out", subject: `subnet ${id}`, outcome: "wrong" }),
      ),
    );
    expect(JSON.stringify(findings)).toContain(`leads to the internet: 0.0.0.0/0 to ${GatewayId}`);
    expect(code).toBe(1);
  });

  test("a CNI that is no add-on is not known, and exit code 2 says so", async () => {
    const key = { clusterName: name, addonName: "vpc-cni" };
    const { addon } = await EKS.send(new eks.DescribeAddonCommand(key));
    await EKS.send(new eks.DeleteAddonCommand(key));
    const { code, findings } = await doctor();
    const { addonVersion, configurationValues } = addon ?? {};
    await EKS.send(new eks.CreateAddonCommand({ ...key, addonVersion, configurationValues }));

    expect(notOk(findings)).toEqual([
      expect.objectContaining({ check: "network-policy", outcome: "unknown" }),
    ]);
    expect(code).toBe(2);
  });
});

test("whoever may not look is told, check by check, which IAM action is missing", async () => {
  const args = ["doctor", "--stage", "existing", "--json"];
  const { code, out } = await engineer.containmentAs(await powerless(), ...args);

  const { findings }: { findings: readonly Finding[] } = JSON.parse(out);
  expect(code).toBe(2);
  expect(new Set(findings.map(({ outcome }) => outcome))).toEqual(new Set(["unknown"]));
  const actions = ["eks:DescribeCluster", "cloudformation:DescribeStacks"].concat(
    ["Vpcs", "Subnets", "RouteTables", "SecurityGroups", "VpcEndpoints"].map(
      (what) => `ec2:Describe${what}`,
    ),
  );
  for (const action of actions) {
    expect(out).toContain(`not allowed to look: needs ${action} (`);
  }
});

describe("sst deploy stops before any change", () => {
  async function stacksOf(stage: string): Promise<unknown> {
    const stacks = await deployedStage(stage, aws).stacks();
    return stacks.kind === "seen" ? stacks.value : stacks;
  }

  test("at a cluster that knows aws-auth only, with all that is wrong and how to mend it", async () => {
    await configure({
      accessConfig: { authenticationMode: "CONFIG_MAP" },
      resourcesVpcConfig: { endpointPrivateAccess: false },
    });
    const { code, out, err } = await engineer.sst("deploy", "--stage", "existing");
    await configure({
      accessConfig: { authenticationMode: "API_AND_CONFIG_MAP" },
      resourcesVpcConfig: { endpointPrivateAccess: true },
    });

    expect(code).toBe(1);
    expect(out).toContain("Error: Stage existing cannot be deployed as things are");
    expect(out).toContain(`$ ${clusterConfig("--access-config")}`);
    expect(out).toContain(`$ ${clusterConfig("--resources-vpc-config")}`);
    expect(`${out}${err}`).not.toContain("Trace:");
    expect(await stacksOf("existing")).toEqual([]);
  });

  test("but not at a CNI that does not enforce, which it says with the command that mends it", async () => {
    const settings = parseStage("existing", {
      region: aws.region,
      cluster: {
        existing: {
          ...{ name, vpcId: net.vpcId, subnetIds: [...net.subnetIds] },
          ...{ securityGroupId: net.functionsGroup, s3EndpointId: net.s3EndpointId },
        },
      },
    });
    const said: string[] = [];
    await configureCni("{}");
    await guardDeployment("existing", settings, { access: aws, say: (line) => said.push(line) });
    await configureCni('{"enableNetworkPolicy":"true"}');

    expect(said[0]).toContain("network-policy, cluster their-cluster: off in the add-on vpc-cni");
    expect(said[0]).toContain("(weakens containment)");
    expect(said.join()).toContain("$ aws eks update-addon --cluster-name their-cluster");
  });

  test("at a stage without settings, and at one with those of the examples", async () => {
    const unknown = await engineer.sst("deploy", "--stage", "prd");
    const example = await engineer.sst("deploy", "--stage", "new");

    expect(unknown).toMatchObject({ code: 1 });
    expect(unknown.out).toContain('stages.ts has no stage "prd"; it has local, new, existing');
    expect(example).toMatchObject({ code: 1 });
    expect(example.out).toContain("cluster.create.s3PrefixListId is still pl-00000000");
    expect(`${example.out}${example.err}`).not.toContain("Trace:");
    expect([await stacksOf("prd"), await stacksOf("new")]).toEqual([[], []]);
  });
});
