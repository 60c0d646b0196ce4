import {
  CloudFormationClient,
  type CloudFormationClientConfig,
  DescribeStacksCommand,
} from "@aws-sdk/client-cloudformation";

/** Where a deployed stage's parts are, as its stacks say in their outputs. */
export interface Deployment {
  readonly evidenceBucket: string;
  /** Of the contain playbook. */
  readonly stateMachineArn: string;
  /** Of the playbook that looks at open cases again. */
  readonly reverifyStateMachineArn: string;
  readonly drainStateMachineArn: string;
  readonly busName: string;
  readonly alertQueueUrl: string;
  readonly deadLetterQueueUrl: string;
  readonly topicArn: string;
  /** Name of the SSM parameter. */
  readonly killSwitch: string;
}

/** The way in for people, of a stage with a cluster of its own. */
export interface Bastion {
  readonly instanceId: string;
  /** The bucket from which the bastion gets its tools. */
  readonly toolsBucket: string;
}

/** Reads the outputs of a stage's stacks. Throws when the stage is not deployed, saying how to. */
export async function readDeployment(
  stage: string,
  config: CloudFormationClientConfig,
): Promise<Deployment> {
  const output = outputsOf(stage, config);
  return {
    evidenceBucket: await output("evidence", "EvidenceBucket"),
    stateMachineArn: await output("playbook", "ContainStateMachine"),
    reverifyStateMachineArn: await output("playbook", "ReverifyStateMachine"),
    drainStateMachineArn: await output("playbook", "DrainStateMachine"),
    busName: await output("playbook", "Bus"),
    alertQueueUrl: await output("detection", "AlertQueue"),
    deadLetterQueueUrl: await output("playbook", "DeadLetterQueue"),
    topicArn: await output("operations", "Notifications"),
    killSwitch: await output("operations", "KillSwitch"),
  };
}

/** The same for the bastion. */
export async function readBastion(
  stage: string,
  config: CloudFormationClientConfig,
): Promise<Bastion> {
  const output = outputsOf(stage, config);
  return {
    instanceId: await output("bastion", "Bastion"),
    toolsBucket: await output("bastion", "ToolsBucket"),
  };
}

/** What the names of the stage's private image repositories begin with, its registry included. */
export function readImageRegistry(
  stage: string,
  config: CloudFormationClientConfig,
): Promise<string> {
  return outputsOf(stage, config)("images", "ImageRegistry");
}

/** Finds one output after the other; each stack is asked for once. */
function outputsOf(stage: string, config: CloudFormationClientConfig) {
  const cloudFormation = new CloudFormationClient(config);
  const stacks = new Map<string, Promise<ReadonlyMap<string, string>>>();
  const describe = async (StackName: string): Promise<ReadonlyMap<string, string>> => {
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
  return async (stack: string, key: string): Promise<string> => {
    const name = `${stage}-eks-containment-${stack}`;
    const described = stacks.get(name) ?? describe(name);
    stacks.set(name, described);
    const value = (await described).get(key);
    if (!value) throw new Error(`stack ${name} has no output ${key}`);
    return value;
  };
}
