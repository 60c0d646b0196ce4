/** The nodes of the scene: EC2 instances, and the Kubernetes nodes that they stand for. */
import {
  AttachInstancesCommand,
  AutoScalingClient,
  CreateAutoScalingGroupCommand,
  SetInstanceProtectionCommand,
} from "@aws-sdk/client-auto-scaling";
import {
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeImagesCommand,
  EC2Client,
  type Instance,
  ModifyInstanceAttributeCommand,
  RunInstancesCommand,
} from "@aws-sdk/client-ec2";
import { CoreV1Api, PatchStrategy, setHeaderOptions, type V1Node } from "@kubernetes/client-node";
import { DO_NOT_DISRUPT, REASON_ANNOTATION } from "../core/node/preservation-plan.ts";
import { CASE_LABEL } from "../core/quarantine/labels.ts";
import type { LocalStage } from "./stage.ts";
import { waitFor } from "./wait.ts";

const region = "us-east-1";
export const availabilityZone = `${region}a`;
const instanceType = "m6i.large";
const readyLimitMs = 60_000;
const MERGE = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);

/** Nodes that are kept and given back together: a managed node group in a subnet of its own. */
export interface NodeGroup {
  readonly name: string;
  /** Third part of the subnet's addresses, which are in the nodes' names: unique in a stage. */
  readonly subnet: number;
}
/** The group of those who have the stage for themselves. */
const SHOP_NODES: NodeGroup = { name: "shop", subnet: 13 };
/** Of the node's group, by which a pod chooses where to run. */
export const NODE_GROUP_LABEL = "eks.amazonaws.com/nodegroup";

const scalingGroupOf = ({ name }: NodeGroup): string => `eks-${name}`;

export interface SceneNode {
  /** The instance's private DNS name, e.g. `ip-10-0-13-27.ec2.internal`. */
  readonly name: string;
  readonly instanceId: string;
  readonly rootVolumeId: string;
  readonly privateIp: string;
  readonly availabilityZone: string;
}

/**
 * Starts instances and registers them as nodes; returns when all are Ready. Call it once per stage and
 * group: shops in any number of namespaces share the nodes. A containment cordons its pod's node, and
 * the pod's replacement needs another one: so many nodes as containments at once, and one more.
 */
export async function createNodes(
  stage: Pick<LocalStage, "aws" | "kubernetes">,
  nodeGroup: NodeGroup = SHOP_NODES,
  count = 2,
): Promise<SceneNode[]> {
  const ec2 = new EC2Client(stage.aws);
  const nodes = (await runInstances(ec2, nodeGroup, count)).map(nodeOf);
  ec2.destroy();
  await group(nodes, nodeGroup, new AutoScalingClient(stage.aws));
  const core = stage.kubernetes.makeApiClient(CoreV1Api);
  for (const node of nodes) await core.createNode({ body: manifestOf(node, nodeGroup) });
  for (const { name } of nodes) {
    await waitFor({ what: `node ${name} to be Ready`, limitMs: readyLimitMs }, async () =>
      isSchedulable(await core.readNode({ name })) ? true : undefined,
    );
  }
  return nodes;
}

/**
 * Gives back the nodes of a group that containments have kept, all at once and whosever they are, as
 * nobody releases the cases of tests and demonstrations.
 */
export async function releaseNodes(
  stage: Pick<LocalStage, "aws" | "kubernetes">,
  nodeGroup: NodeGroup = SHOP_NODES,
): Promise<void> {
  const core = stage.kubernetes.makeApiClient(CoreV1Api);
  const ec2 = new EC2Client(stage.aws);
  const labelSelector = `${NODE_GROUP_LABEL}=${nodeGroup.name}`;
  const { items } = await core.listNode({ labelSelector });
  const kept = items.filter(({ metadata }) => metadata?.annotations?.[DO_NOT_DISRUPT]);
  for (const node of kept) {
    const marks = [CASE_LABEL, REASON_ANNOTATION, DO_NOT_DISRUPT];
    const annotations = Object.fromEntries(marks.map((mark) => [mark, null]));
    const body = { spec: { unschedulable: false }, metadata: { annotations } };
    // A merge: somebody else may release the same node at the same time.
    await core.patchNode({ name: node.metadata?.name ?? "", body }, MERGE);
    const DisableApiTermination = { Value: false };
    const InstanceId = instanceIdOf(node);
    await ec2.send(new ModifyInstanceAttributeCommand({ InstanceId, DisableApiTermination }));
  }
  ec2.destroy();
  const autoScaling = new AutoScalingClient(stage.aws);
  await autoScaling.send(
    new SetInstanceProtectionCommand({
      AutoScalingGroupName: scalingGroupOf(nodeGroup),
      InstanceIds: items.map(instanceIdOf),
      ProtectedFromScaleIn: false,
    }),
  );
  autoScaling.destroy();
}

/** The instance of a node, from its provider id. */
export function instanceIdOf(node: V1Node): string {
  const match = /^aws:\/\/\/[^/]*\/(?<instanceId>i-[0-9a-f]+)$/.exec(node.spec?.providerID ?? "");
  if (!match?.groups?.instanceId) {
    throw new Error(`Node ${node.metadata?.name} has no EC2 provider id: ${node.spec?.providerID}`);
  }
  return match.groups.instanceId;
}

async function runInstances(
  ec2: EC2Client,
  nodeGroup: NodeGroup,
  count: number,
): Promise<Instance[]> {
  const { Vpc: vpc } = await ec2.send(new CreateVpcCommand({ CidrBlock: "10.0.0.0/16" }));
  const { Subnet: subnet } = await ec2.send(
    new CreateSubnetCommand({
      VpcId: vpc?.VpcId,
      CidrBlock: `10.0.${nodeGroup.subnet}.0/24`,
      AvailabilityZone: availabilityZone,
    }),
  );
  const { Images: images } = await ec2.send(
    new DescribeImagesCommand({
      Owners: ["amazon"],
      Filters: [{ Name: "architecture", Values: ["x86_64"] }],
    }),
  );
  const { Instances: instances } = await ec2.send(
    new RunInstancesCommand({
      ImageId: images?.[0]?.ImageId,
      InstanceType: instanceType,
      MinCount: count,
      MaxCount: count,
      SubnetId: subnet?.SubnetId,
      BlockDeviceMappings: [
        {
          DeviceName: "/dev/xvda",
          Ebs: { VolumeSize: 20, VolumeType: "gp3", DeleteOnTermination: true },
        },
      ],
      TagSpecifications: [
        { ResourceType: "instance", Tags: [{ Key: "eks:nodegroup-name", Value: nodeGroup.name }] },
      ],
    }),
  );
  return instances ?? [];
}

/** The Auto Scaling group that EKS makes for a managed node group. */
async function group(
  nodes: readonly SceneNode[],
  nodeGroup: NodeGroup,
  autoScaling: AutoScalingClient,
): Promise<void> {
  const AutoScalingGroupName = scalingGroupOf(nodeGroup);
  const InstanceIds = nodes.map(({ instanceId }) => instanceId);
  await autoScaling.send(
    new CreateAutoScalingGroupCommand({
      AutoScalingGroupName,
      InstanceId: InstanceIds[0],
      MinSize: 0,
      MaxSize: nodes.length,
      DesiredCapacity: 0, // those that run already are attached instead
      AvailabilityZones: [availabilityZone],
    }),
  );
  await autoScaling.send(new AttachInstancesCommand({ AutoScalingGroupName, InstanceIds }));
  autoScaling.destroy();
}

function nodeOf(instance: Instance): SceneNode {
  const { InstanceId: instanceId, PrivateDnsName: name, PrivateIpAddress: privateIp } = instance;
  const rootVolumeId = instance.BlockDeviceMappings?.[0]?.Ebs?.VolumeId;
  if (!instanceId || !name || !privateIp || !rootVolumeId) {
    throw new Error(`RunInstances answered with half an instance: ${JSON.stringify(instance)}`);
  }
  return { name, instanceId, privateIp, rootVolumeId, availabilityZone };
}

function manifestOf(node: SceneNode, nodeGroup: NodeGroup): V1Node {
  // More pods than any kubelet takes: nobody removes the shops of tests, and these pods weigh nothing.
  const resources = { cpu: "2", memory: "8Gi", pods: "2000", "ephemeral-storage": "20Gi" };
  return {
    metadata: {
      name: node.name,
      labels: {
        [NODE_GROUP_LABEL]: nodeGroup.name,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": node.name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": instanceType,
        "topology.kubernetes.io/region": region,
        "topology.kubernetes.io/zone": node.availabilityZone,
      },
    },
    spec: { providerID: `aws:///${node.availabilityZone}/${node.instanceId}` },
    status: {
      capacity: resources,
      allocatable: resources,
      addresses: [
        { type: "InternalIP", address: node.privateIp },
        { type: "InternalDNS", address: node.name },
        { type: "Hostname", address: node.name },
      ],
    },
  };
}

/** Ready, and without the taint that a new node carries until its lifecycle controller has seen it. */
function isSchedulable(node: V1Node): boolean {
  const ready = node.status?.conditions?.find((condition) => condition.type === "Ready");
  return ready?.status === "True" && (node.spec?.taints ?? []).length === 0;
}
