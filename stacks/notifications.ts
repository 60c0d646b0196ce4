import * as events from "aws-cdk-lib/aws-events";
import * as targets from "aws-cdk-lib/aws-events-targets";
import * as iam from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import * as sns from "aws-cdk-lib/aws-sns";
import * as subscriptions from "aws-cdk-lib/aws-sns-subscriptions";
import type { IStateMachine } from "aws-cdk-lib/aws-stepfunctions";
import type { StackContext } from "sst/constructs";

type Stack = StackContext["stack"];

/** The topic that alarms and rules of this account tell people through. */
export function notifications(
  stack: Stack,
  {
    displayName,
    key,
    emails,
  }: {
    /** The sender of the mails. */
    readonly displayName: string;
    readonly key: IKey;
    readonly emails: readonly string[];
  },
): sns.Topic {
  const topic = new sns.Topic(stack, "Notifications", {
    displayName,
    masterKey: key,
    enforceSSL: true,
  });
  for (const email of emails) topic.addSubscription(new subscriptions.EmailSubscription(email));
  topic.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: "AlarmsAndEventsOfThisAccount",
      principals: ["cloudwatch", "events"].map(
        (service) => new iam.ServicePrincipal(`${service}.amazonaws.com`),
      ),
      actions: ["sns:Publish"],
      resources: [topic.topicArn],
      conditions: { StringEquals: { "aws:SourceAccount": stack.account } },
    }),
  );
  return topic;
}

/** What the message may say of the execution. Not its cause: quotes in one would break the message. */
export const OF_EXECUTION = {
  name: events.EventField.fromPath("$.detail.name"),
  status: events.EventField.fromPath("$.detail.status"),
  error: events.EventField.fromPath("$.detail.error"),
  arn: events.EventField.fromPath("$.detail.executionArn"),
  region: events.EventField.fromPath("$.region"),
} as const;

/** Executions of these that failed, timed out or were aborted. */
export function failureOf(machines: readonly IStateMachine[]): events.EventPattern {
  return {
    source: ["aws.states"],
    detailType: ["Step Functions Execution Status Change"],
    detail: {
      stateMachineArn: machines.map(({ stateMachineArn }) => stateMachineArn),
      status: ["FAILED", "TIMED_OUT", "ABORTED"],
    },
  };
}

/** Tells of each execution that failed, timed out or was aborted. */
export function tellFailures(
  stack: Stack,
  id: string,
  {
    machines,
    topic,
    description,
    lines,
  }: {
    readonly machines: readonly IStateMachine[];
    readonly topic: sns.ITopic;
    readonly description: string;
    readonly lines: readonly string[];
  },
): void {
  const { arn, region } = OF_EXECUTION;
  const goOn = [
    `https://${region}.console.aws.amazon.com/states/home?region=${region}#/v2/executions/details/${arn}`,
    `Then: aws stepfunctions redrive-execution --region ${region} --execution-arn ${arn}`,
  ];
  new events.Rule(stack, id, {
    description,
    eventPattern: failureOf(machines),
    targets: [
      new targets.SnsTopic(topic, {
        message: events.RuleTargetInput.fromMultilineText([...lines, ...goOn].join("\n")),
      }),
    ],
  });
}
