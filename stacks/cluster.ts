import * as ec2 from "aws-cdk-lib/aws-ec2";
import * as eks from "aws-cdk-lib/aws-eks";
import type * as iam from "aws-cdk-lib/aws-iam";
import { type StackContext, use } from "sst/constructs";
import { type KubernetesGroup, READERS } from "../kubernetes/groups.ts";
import type { StageSettings } from "../stage-settings.ts";
import { settingsFor } from "../stages.ts";
import { recordAdopted } from "./adopted.ts";
import { type NewCluster, newCluster } from "./cluster-new.ts";
import { foundation } from "./foundation.ts";
import { type Network, network } from "./network.ts";

type Stack = StackContext["stack"];

/**
 * The cluster that the stage contains in, new or adopted, and who is let into it: people as the
 * settings say, functions as members of our own groups and no more.
 */
export function cluster({ stack, app }: StackContext) {
  const settings = settingsFor(app.stage);
  const { name } = settings.cluster;
  const { key } = use(foundation);
  const net = use(network);
  const made =
    settings.cluster.kind === "create"
      ? newCluster(stack, settings.cluster, {
          key,
          net,
          logRetentionDays: settings.operations.logRetentionDays,
        })
      : null;
  if (made) connect(stack, net, made);
  else recordAdopted(stack, `/${app.name}/${app.stage}/cluster`, name);
  admitPeople(stack, settings, made);

  return {
    name,
    arn: stack.formatArn({ service: "eks", resource: "cluster", resourceName: name }),
    /** Null: the cluster is somebody else's. */
    own: made,
    /** Lets a function's role into the cluster as a member of our own groups, and no more. */
    admit(role: iam.IRole, groups: readonly KubernetesGroup[]) {
      new eks.CfnAccessEntry(role, "AccessEntry", {
        clusterName: name,
        principalArn: role.roleArn,
        type: "STANDARD",
        kubernetesGroups: [...groups],
      });
    },
  };
}

/**
 * Who of the network reaches the API server, and the nodes the endpoints. EKS makes the group that
 * the API server and the nodes share, so the rules about it stand here and not with the others.
 */
function connect(stack: Stack, { own }: Network, made: NewCluster): void {
  if (!own) return;
  const clusterGroup = made.securityGroupId;
  const https = { ipProtocol: "tcp", fromPort: 443, toPort: 443 };
  const callers = { Function: own.functionGroup, Bastion: own.bastionGroup };
  for (const [caller, group] of Object.entries(callers)) {
    if (!group) continue;
    new ec2.CfnSecurityGroupIngress(stack, `${caller}ToApiServer`, {
      ...https,
      groupId: clusterGroup,
      sourceSecurityGroupId: group.securityGroupId,
      description: `${caller}: the Kubernetes API`,
    });
    new ec2.CfnSecurityGroupEgress(stack, `${caller}FromItsGroup`, {
      ...https,
      groupId: group.securityGroupId,
      destinationSecurityGroupId: clusterGroup,
      description: "the Kubernetes API",
    });
  }
  new ec2.CfnSecurityGroupIngress(stack, "NodesToEndpoints", {
    ...https,
    groupId: own.endpointGroup.securityGroupId,
    sourceSecurityGroupId: clusterGroup,
    description: "nodes and pods call AWS services",
  });
}

/** EKS knows one entry for a principal, so what the settings give somebody is added up first. */
function admitPeople(stack: Stack, settings: StageSettings, made: NewCluster | null): void {
  const administrators = settings.cluster.kind === "create" ? settings.cluster.administrators : [];
  const people = [...new Set([...administrators, ...settings.viewers])];
  for (const [index, principalArn] of people.entries()) {
    const administers = administrators.includes(principalArn);
    const entry = new eks.CfnAccessEntry(stack, `Person${index}`, {
      clusterName: settings.cluster.name,
      principalArn,
      type: "STANDARD",
      kubernetesGroups: settings.viewers.includes(principalArn) ? [READERS] : [],
      ...(administers && {
        accessPolicies: [
          {
            policyArn: `arn:${stack.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy`,
            accessScope: { type: "cluster" },
          },
        ],
      }),
    });
    if (made) entry.node.addDependency(made.resource);
  }
}
