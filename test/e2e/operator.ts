/**
 * A platform engineer of their own: a copy of the project whose `stages.ts` names the network and the
 * cluster that they have, in the emulated AWS, and the commands that they run in it.
 */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ec2 from "@aws-sdk/client-ec2";
import * as eks from "@aws-sdk/client-eks";
import { CreateAccessKeyCommand, CreateUserCommand, IAMClient } from "@aws-sdk/client-iam";
import { childEnvironment } from "../../local/environment.ts";
import { nodeModules, projectRoot } from "../../local/project.ts";
import { endpointsFor } from "../../stacks/endpoints.ts";
import { aws, stage } from "./harness.ts";

export const EC2 = new ec2.EC2Client(aws);
export const EKS = new eks.EKSClient(aws);
const { region } = aws;

/** What `sst` and `containment` read; the rest of the project is not needed to run them. */
const SOURCES = [
  ...["adapters", "cli", "core", "functions", "kubernetes", "local", "stacks", "workflows"],
  ...["package.json", "sst.config.ts", "stage-settings.ts", "stages.ts"],
];

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The environment of somebody who is known to AWS and may do nothing there. */
export async function powerless(): Promise<Readonly<Record<string, string>>> {
  const iam = new IAMClient(aws);
  const UserName = `powerless-${randomUUID().slice(0, 8)}`;
  await iam.send(new CreateUserCommand({ UserName }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
  return {
    AWS_ACCESS_KEY_ID: idIn(AccessKey?.AccessKeyId),
    AWS_SECRET_ACCESS_KEY: idIn(AccessKey?.SecretAccessKey),
  };
}

export interface Operator {
  /** Puts other words into `stages.ts`. */
  edit(words: Readonly<Record<string, string>>): Promise<void>;
  containment(...args: readonly string[]): Promise<Ended>;
  /** The same as somebody else. */
  containmentAs(who: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Ended>;
  sst(...args: readonly string[]): Promise<Ended>;
  leave(): Promise<void>;
}

export async function operator(): Promise<Operator> {
  const folder = await mkdtemp(join(tmpdir(), "containment-operator-"));
  for (const source of SOURCES) {
    await cp(join(projectRoot, source), join(folder, source), { recursive: true });
  }
  await symlink(nodeModules, join(folder, "node_modules"));
  const environment = {
    ...{ ...childEnvironment(), ...stage.environment },
    ...{ SST_TELEMETRY_DISABLED: "1", CI: "1", TMPDIR: folder },
  };
  const run = (program: string, args: readonly string[], who = {}) =>
    new Promise<Ended>((resolve) => {
      const options = { cwd: folder, env: { ...environment, ...who }, timeout: 90_000 };
      execFile(program, [...args], options, (error, out, err) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, out, err });
      });
    });
  return {
    async edit(words) {
      const file = join(folder, "stages.ts");
      let text = await readFile(file, "utf8");
      for (const [old, other] of Object.entries(words))
        text = text.replaceAll(`"${old}"`, `"${other}"`);
      await writeFile(file, text);
    },
    containment: (...args) => run(process.execPath, ["cli/containment.ts", ...args]),
    containmentAs: (who, ...args) => run(process.execPath, ["cli/containment.ts", ...args], who),
    sst: (...args) => run(join(nodeModules, ".bin", "sst"), args),
    leave: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The ids of a network as an operator would have it, with a cluster in it. */
export interface Network {
  readonly clusterName: string;
  readonly vpcId: string;
  readonly subnetIds: readonly [string, string];
  readonly tableId: string;
  readonly functionsGroup: string;
  readonly clusterGroup: string;
  readonly endpointsGroup: string;
  readonly s3EndpointId: string;
  /** By service. */
  readonly endpointIds: Readonly<Record<string, string>>;
}

const HTTPS = { IpProtocol: "tcp", FromPort: 443, ToPort: 443 };

export function admitting(GroupId: string): ec2.IpPermission[] {
  return [{ ...HTTPS, UserIdGroupPairs: [{ GroupId }] }];
}

export async function network(clusterName: string): Promise<Network> {
  const vpc = await EC2.send(new ec2.CreateVpcCommand({ CidrBlock: "10.60.0.0/16" }));
  const vpcId = idIn(vpc.Vpc?.VpcId);
  await EC2.send(
    new ec2.ModifyVpcAttributeCommand({ VpcId: vpcId, EnableDnsHostnames: { Value: true } }),
  );
  const table = await EC2.send(new ec2.CreateRouteTableCommand({ VpcId: vpcId }));
  const tableId = idIn(table.RouteTable?.RouteTableId);
  const subnetIn = async (AvailabilityZone: string, CidrBlock: string) => {
    const { Subnet } = await EC2.send(
      new ec2.CreateSubnetCommand({ VpcId: vpcId, AvailabilityZone, CidrBlock }),
    );
    const SubnetId = idIn(Subnet?.SubnetId);
    await EC2.send(new ec2.AssociateRouteTableCommand({ RouteTableId: tableId, SubnetId }));
    return SubnetId;
  };
  const subnetIds = [
    await subnetIn(`${region}a`, "10.60.1.0/24"),
    await subnetIn(`${region}b`, "10.60.2.0/24"),
  ] as const;
  const groupNamed = async (GroupName: string) => {
    const made = await EC2.send(
      new ec2.CreateSecurityGroupCommand({ VpcId: vpcId, GroupName, Description: GroupName }),
    );
    return idIn(made.GroupId);
  };
  const functionsGroup = await groupNamed("functions");
  const endpointsGroup = await groupNamed("endpoints");
  const clusterGroup = await createCluster(clusterName, subnetIds);
  for (const GroupId of [endpointsGroup, clusterGroup]) {
    const IpPermissions = admitting(functionsGroup);
    await EC2.send(new ec2.AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions }));
  }
  const s3 = await EC2.send(
    new ec2.CreateVpcEndpointCommand({
      ...{ VpcId: vpcId, VpcEndpointType: "Gateway", RouteTableIds: [tableId] },
      ServiceName: `com.amazonaws.${region}.s3`,
    }),
  );
  const endpointIds: Record<string, string> = {};
  const made = { vpcId, subnetIds, endpointsGroup };
  for (const { service } of endpointsFor(["functions"])) {
    endpointIds[service] = await createEndpoint(made, service);
  }
  return {
    ...{ clusterName, vpcId, subnetIds, tableId, functionsGroup, clusterGroup, endpointsGroup },
    ...{ endpointIds, s3EndpointId: idIn(s3.VpcEndpoint?.VpcEndpointId) },
  };
}

export async function createEndpoint(
  { vpcId, subnetIds, endpointsGroup }: Pick<Network, "vpcId" | "subnetIds" | "endpointsGroup">,
  service: string,
): Promise<string> {
  const { VpcEndpoint } = await EC2.send(
    new ec2.CreateVpcEndpointCommand({
      ...{ VpcId: vpcId, VpcEndpointType: "Interface", PrivateDnsEnabled: true },
      ...{ SubnetIds: [...subnetIds], SecurityGroupIds: [endpointsGroup] },
      ServiceName: `com.amazonaws.${region}.${service}`,
    }),
  );
  return idIn(VpcEndpoint?.VpcEndpointId);
}

/** Answers with the group that EKS made for it. */
async function createCluster(name: string, subnetIds: readonly string[]): Promise<string> {
  const { cluster } = await EKS.send(
    new eks.CreateClusterCommand({
      name,
      roleArn: "arn:aws:iam::000000000000:role/their-cluster",
      resourcesVpcConfig: {
        ...{ subnetIds: [...subnetIds] },
        ...{ endpointPrivateAccess: true, endpointPublicAccess: false },
      },
      accessConfig: { authenticationMode: "API_AND_CONFIG_MAP" },
      logging: { clusterLogging: [{ types: ["audit"], enabled: true }] },
    }),
  );
  await EKS.send(
    new eks.CreateAddonCommand({
      ...{ clusterName: name, addonName: "vpc-cni", addonVersion: "v1.21.1-eksbuild.1" },
      configurationValues: '{"enableNetworkPolicy":"true"}',
    }),
  );
  return idIn(cluster?.resourcesVpcConfig?.clusterSecurityGroupId);
}

function idIn(id: string | undefined): string {
  if (!id) throw new Error("the emulated AWS answered without an id");
  return id;
}
