import {
  CloudFormationClient,
  type CloudFormationClientConfig,
  DescribeStacksCommand,
} from "@aws-sdk/client-cloudformation";

/** Where a deployed stage's parts are, as its stacks say in their outputs. */
export interface Deployment {
  readonly evidenceBucket: string;
  readonly stateMachineArn: string;
  readonly busName: string;
  readonly alertQueueUrl: string;
  readonly deadLetterQueueUrl: string;
  readonly topicArn: string;
  /** Name of the SSM parameter. */
  readonly killSwitch: string;
}

const OUTPUTS = {
  evidenceBucket: ["evidence", "EvidenceBucket"],
  stateMachineArn: ["playbook", "StateMachine"],
  busName: ["playbook", "Bus"],
  deadLetterQueueUrl: ["playbook", "DeadLetterQueue"],
  alertQueueUrl: ["detection", "AlertQueue"],
  topicArn: ["operations", "Notifications"],
  killSwitch: ["operations", "KillSwitch"],
} as const;

/** Reads the outputs of a stage's stacks. Throws when the stage is not deployed, saying how to. */
export async function readDeployment(
  stage: string,
  config: CloudFormationClientConfig,
): Promise<Deployment> {
  const cloudFormation = new CloudFormationClient(config);
  const stackOutputs = async (stack: string): Promise<ReadonlyMap<string, string>> => {
    const StackName = `${stage}-eks-containment-${stack}`;
    try {
      const { Stacks = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName }));
      const outputs = Stacks[0]?.Outputs ?? [];
      return new Map(outputs.map((each) => [each.OutputKey ?? "", each.OutputValue ?? ""]));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(
        `cannot read stack ${StackName}: ${why}\n` +
          `Is the stage deployed (npx sst deploy --stage ${stage}), and do these credentials see it?`,
        { cause: error },
      );
    }
  };
  const stacks = new Map<string, ReadonlyMap<string, string>>();
  for (const [stack] of Object.values(OUTPUTS)) {
    if (!stacks.has(stack)) stacks.set(stack, await stackOutputs(stack));
  }
  const output = (name: keyof typeof OUTPUTS): string => {
    const [stack, key] = OUTPUTS[name];
    const value = stacks.get(stack)?.get(key);
    if (!value) throw new Error(`stack ${stage}-eks-containment-${stack} has no output ${key}`);
    return value;
  };
  return {
    evidenceBucket: output("evidenceBucket"),
    stateMachineArn: output("stateMachineArn"),
    busName: output("busName"),
    alertQueueUrl: output("alertQueueUrl"),
    deadLetterQueueUrl: output("deadLetterQueueUrl"),
    topicArn: output("topicArn"),
    killSwitch: output("killSwitch"),
  };
}
