import {
  AutoScalingClient,
  DescribeAutoScalingInstancesCommand,
  SetInstanceProtectionCommand,
} from "@aws-sdk/client-auto-scaling";
import {
  DescribeInstanceAttributeCommand,
  DescribeInstancesCommand,
  EC2Client,
  type EC2ClientConfig,
  ModifyInstanceAttributeCommand,
} from "@aws-sdk/client-ec2";
import type { Instances } from "../../core/node/instances.ts";
import { translate } from "./errors.ts";
import type { Statement } from "./statement.ts";

/** Instances and their Auto Scaling groups. Every call can be repeated. */
export function ec2Instances(config: EC2ClientConfig): Instances {
  const ec2 = new EC2Client(config);
  const autoScaling = new AutoScalingClient(config);
  const asked = async <T>(what: string, call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (error) {
      throw translate(error, what);
    }
  };
  return {
    lifecycleOf: (instanceId) =>
      asked(`describe instance ${instanceId}`, async () => {
        // A filter: by its id, an instance that is gone would be an error.
        const Filters = [{ Name: "instance-id", Values: [instanceId] }];
        const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({ Filters }));
        const [instance] = Reservations.flatMap(({ Instances = [] }) => Instances);
        const ending = ["shutting-down", "terminated"].includes(instance?.State?.Name ?? "");
        if (!instance || ending) return null;
        return instance.InstanceLifecycle === "spot" ? "spot" : "onDemand";
      }),

    isProtectedFromTermination: (instanceId) =>
      asked(`describe the termination protection of ${instanceId}`, async () => {
        const { DisableApiTermination } = await ec2.send(
          new DescribeInstanceAttributeCommand({
            InstanceId: instanceId,
            Attribute: "disableApiTermination",
          }),
        );
        return DisableApiTermination?.Value ?? false;
      }),

    groupOf: (instanceId) =>
      asked(`describe the Auto Scaling group of ${instanceId}`, async () => {
        const InstanceIds = [instanceId];
        const { AutoScalingInstances: [member] = [] } = await autoScaling.send(
          new DescribeAutoScalingInstancesCommand({ InstanceIds }),
        );
        if (!member?.AutoScalingGroupName) return null;
        return {
          group: member.AutoScalingGroupName,
          protectedFromScaleIn: member.ProtectedFromScaleIn ?? false,
        };
      }),

    protectFromTermination: (instanceId) =>
      asked(`protect ${instanceId} from termination`, async () => {
        await ec2.send(
          new ModifyInstanceAttributeCommand({
            InstanceId: instanceId,
            DisableApiTermination: { Value: true },
          }),
        );
      }),

    protectFromScaleIn: (group, instanceId) =>
      asked(`protect ${instanceId} of Auto Scaling group ${group} from scale-in`, async () => {
        await autoScaling.send(
          new SetInstanceProtectionCommand({
            AutoScalingGroupName: group,
            InstanceIds: [instanceId],
            ProtectedFromScaleIn: true,
          }),
        );
      }),
  };
}

/** Where the instances are. */
export interface InstancesPlace {
  readonly partition: string;
  readonly account: string;
  readonly region: string;
}

/** What IAM must allow for these operations. */
export function instanceStatements(
  operations: readonly (keyof Instances)[],
  { partition, account, region }: InstancesPlace,
): readonly Statement[] {
  const instances = `arn:${partition}:ec2:${region}:${account}:instance/*`;
  const groups = `arn:${partition}:autoscaling:${region}:${account}:autoScalingGroup:*:autoScalingGroupName/*`;
  const statements: Readonly<Record<keyof Instances, Statement>> = {
    // Describe actions know no resource; of the attribute's one it is not certain, and refused it
    // would cost the protection.
    lifecycleOf: { actions: ["ec2:DescribeInstances"], resources: ["*"] },
    isProtectedFromTermination: {
      actions: ["ec2:DescribeInstanceAttribute"],
      resources: ["*"],
    },
    groupOf: { actions: ["autoscaling:DescribeAutoScalingInstances"], resources: ["*"] },
    protectFromTermination: {
      actions: ["ec2:ModifyInstanceAttribute"],
      resources: [instances],
      // This attribute only, and on only: taking protection away is for whoever releases.
      conditions: { StringEqualsIgnoreCase: { "ec2:Attribute/DisableApiTermination": "true" } },
    },
    protectFromScaleIn: { actions: ["autoscaling:SetInstanceProtection"], resources: [groups] },
  };
  return operations.map((operation) => statements[operation]);
}
