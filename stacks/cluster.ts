import * as ec2 from "aws-cdk-lib/aws-ec2";
import * as eks from "aws-cdk-lib/aws-eks";
import type { Function as SstFunction, StackContext } from "sst/constructs";
import type { KubernetesGroup } from "../kubernetes/groups.ts";
import type { ExistingClusterSettings } from "../stage-settings.ts";
import { settingsFor } from "../stages.ts";

/** The existing cluster that this stage contains in, and the network from which it is reached. */
export function cluster({ stack, app }: StackContext) {
  const settings = settingsFor(app.stage).cluster;
  const { name } = settings;
  return {
    name,
    arn: stack.formatArn({ service: "eks", resource: "cluster", resourceName: name }),
    placement: settings.kind === "existing" ? placementIn(stack, settings) : {},
    /** Lets a function's role into the cluster as a member of our own groups, and no more. */
    admit(fn: SstFunction, groups: readonly KubernetesGroup[]) {
      new eks.CfnAccessEntry(fn, "AccessEntry", {
        clusterName: name,
        principalArn: fn.role?.roleArn ?? "",
        type: "STANDARD",
        kubernetesGroups: [...groups],
      });
    },
  };
}

function placementIn(stack: StackContext["stack"], cluster: ExistingClusterSettings) {
  const { vpcId, subnetIds, securityGroupId } = cluster;
  const vpc = ec2.Vpc.fromVpcAttributes(stack, "Vpc", {
    vpcId,
    availabilityZones: subnetIds.map((_, index) => `zone-${index}`), // only their number is used
    isolatedSubnetIds: subnetIds,
  });
  return {
    vpc,
    vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
    securityGroups: [
      ec2.SecurityGroup.fromSecurityGroupId(stack, "FunctionGroup", securityGroupId, {
        mutable: false, // the group is the cluster owner's to change
      }),
    ],
  };
}
