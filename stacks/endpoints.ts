/*
 * The AWS services that are reached from inside the VPC, through interface endpoints. What is not in
 * this list cannot be reached: there is no other way out. S3 has a gateway endpoint of its own.
 */

/** Who in the VPC calls AWS. */
export type Caller = "functions" | "nodes" | "bastion";

export interface InterfaceEndpoint {
  /** As in `com.amazonaws.<region>.<service>`. */
  readonly service: string;
  readonly callers: readonly Caller[];
  /** What may be called through it, by principals of this account only. */
  readonly actions: readonly string[];
  readonly why: string;
}

export const INTERFACE_ENDPOINTS: readonly InterfaceEndpoint[] = [
  {
    service: "eks",
    callers: ["functions", "bastion"],
    actions: [
      "eks:DescribeCluster",
      "eks:ListPodIdentityAssociations",
      "eks:DescribePodIdentityAssociation",
    ],
    why: "Authenticate finds the API server, PreviewCredentials roles; people make a kubeconfig",
  },
  {
    service: "ec2",
    callers: ["functions", "nodes"],
    // What each caller may do is its role's policy: network interfaces for the CNI, volumes for the
    // EBS driver, snapshots for SnapshotNodeEbs, termination protection for PreserveNode.
    actions: ["ec2:*"],
    why: "snapshots; addresses of pods; volumes of pods",
  },
  {
    service: "autoscaling",
    callers: ["functions"],
    actions: ["autoscaling:DescribeAutoScalingInstances", "autoscaling:SetInstanceProtection"],
    why: "PreserveNode keeps a node's instance from being scaled in",
  },
  {
    service: "events",
    callers: ["functions"],
    actions: ["events:PutEvents"],
    why: "RecordRun announces what became of a run",
  },
  {
    service: "eks-auth",
    callers: ["nodes"],
    actions: ["eks-auth:AssumeRoleForPodIdentity"],
    why: "the Pod Identity agent gives pods their own roles",
  },
  {
    service: "ecr.api",
    callers: ["nodes"],
    actions: ["ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage"],
    why: "images: there is no public registry to pull from",
  },
  {
    service: "ecr.dkr",
    callers: ["nodes"],
    actions: ["ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage"],
    why: "the same, the registry itself; layers come through S3's endpoint",
  },
  {
    service: "logs",
    callers: ["nodes"],
    actions: [
      "logs:DescribeLogGroups",
      "logs:CreateLogGroup",
      "logs:CreateLogStream",
      "logs:PutLogEvents",
    ],
    why: "the VPC CNI's agent logs which flows it denied",
  },
  {
    service: "sqs",
    callers: ["nodes"],
    actions: ["sqs:SendMessage", "sqs:GetQueueUrl", "sqs:GetQueueAttributes"],
    why: "Falcosidekick sends its alerts to the queue",
  },
  ...["ssm", "ssmmessages", "ec2messages"].map(
    (service): InterfaceEndpoint => ({
      service,
      callers: ["bastion"],
      actions: [`${service}:*`], // the agent's protocol; what the instance may do is its role's policy
      why: "Session Manager: the only way onto the bastion",
    }),
  ),
];

/** Those that have a caller among the given ones. */
export function endpointsFor(callers: readonly Caller[]): readonly InterfaceEndpoint[] {
  return INTERFACE_ENDPOINTS.filter((each) => each.callers.some((one) => callers.includes(one)));
}
