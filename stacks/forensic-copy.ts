import * as events from "aws-cdk-lib/aws-events";
import * as targets from "aws-cdk-lib/aws-events-targets";
import * as iam from "aws-cdk-lib/aws-iam";
import * as sqs from "aws-cdk-lib/aws-sqs";
import { type StackContext, use } from "sst/constructs";
import { COPY_REQUESTED, EVENT_SOURCE, SNAPSHOT_SHARED } from "../adapters/aws/event-bus.ts";
import { COPY_TAG } from "../core/node/forensic-copy.ts";
import { REASON, REASON_TAG } from "../core/node/volumes.ts";
import { settingsFor } from "../stages.ts";
import { accept, INLINE_IS_MEANT } from "./accepted-findings.ts";
import { type ForensicCopySettings, namesThere } from "./forensic-names.ts";
import { foundation } from "./foundation.ts";
import { OF_EXECUTION, tellFailures } from "./notifications.ts";
import { operations } from "./operations.ts";
import { playbook } from "./playbook.ts";
import { workflow } from "./workflow.ts";

/**
 * Gives the forensic account what it copies: an execution for each snapshot waits until it is complete,
 * shares it, and says so; a rule carries that to the bus of that account. docs/adr/0016 says why so.
 */
export function forensicCopy({ stack, app }: StackContext) {
  const copy = settingsFor(app.stage).preservation.forensicCopy;
  if (!copy) throw new Error(`stage ${app.stage} names no forensic account`);
  const { key } = use(foundation);
  const { topic } = use(operations);
  const { bus, deadLetters, publish } = use(playbook);

  const machine = workflow({ stack, app }, "forensic/share-snapshot", {
    functions: new Map(),
    key,
    substitutions: {
      ForensicAccountId: copy.accountId,
      ForensicRegion: copy.region,
      BusName: bus.eventBusName,
      TopicArn: topic.topicArn,
    },
    statements: [
      ...sharingRights(stack, copy),
      new iam.PolicyStatement({
        actions: ["events:PutEvents"],
        resources: [bus.eventBusArn],
        conditions: {
          StringEquals: { "events:source": EVENT_SOURCE, "events:detail-type": SNAPSHOT_SHARED },
        },
      }),
      ...publish,
    ],
    stars: "describing knows no resource, and a snapshot's id is not known before",
  });

  // By ARN: the queue's own stack admits rules.
  const deadLetterQueue = sqs.Queue.fromQueueArn(stack, "DeadLetters", deadLetters.queueArn);
  const ruleRole = new iam.Role(stack, "RuleRole", {
    assumedBy: new iam.ServicePrincipal("events.amazonaws.com"),
  });
  machine.grantStartExecution(ruleRole);
  accept(ruleRole, { "NIST.800.53.R5-IAMNoInlinePolicy": INLINE_IS_MEANT });
  new events.Rule(stack, "CopyRequested", {
    eventBus: bus,
    eventPattern: { source: [EVENT_SOURCE], detailType: [COPY_REQUESTED] },
    targets: [new targets.SfnStateMachine(machine, { role: ruleRole, deadLetterQueue })],
  });

  const { busArn } = namesThere(copy, { partition: stack.partition, appName: app.name });
  const forwardRole = new iam.Role(stack, "ForwardRole", {
    assumedBy: new iam.ServicePrincipal("events.amazonaws.com"),
  });
  new events.Rule(stack, "SnapshotShared", {
    eventBus: bus,
    eventPattern: { source: [EVENT_SOURCE], detailType: [SNAPSHOT_SHARED] },
    targets: [
      new targets.EventBus(events.EventBus.fromEventBusArn(stack, "ForensicBus", busArn), {
        role: forwardRole,
        deadLetterQueue,
      }),
    ],
  });
  accept(forwardRole, { "NIST.800.53.R5-IAMNoInlinePolicy": INLINE_IS_MEANT }); // the rule made it

  tellFailures(stack, "SharingFailed", {
    ...{ machines: [machine], topic },
    description: "A snapshot was not given to the forensic account",
    lines: [
      `Sharing a snapshot with the forensic account ended ${OF_EXECUTION.status}; its input names the`,
      `snapshot. Error: ${OF_EXECUTION.error}. What to do about it is in the cause, in the console:`,
    ],
  });
  return { machine };
}

/** What the state machine may do with snapshots: share ours with that one account, and say so on them. */
function sharingRights(
  stack: StackContext["stack"],
  { accountId }: ForensicCopySettings,
): readonly iam.PolicyStatement[] {
  // A snapshot has no owner in its ARN.
  const resources = [`arn:${stack.partition}:ec2:${stack.region}::snapshot/*`];
  const ours = { [`aws:ResourceTag/${REASON_TAG}`]: REASON };
  return [
    new iam.PolicyStatement({ actions: ["ec2:DescribeSnapshots"], resources: ["*"] }),
    new iam.PolicyStatement({
      actions: ["ec2:ModifySnapshotAttribute"],
      resources,
      conditions: {
        StringEquals: { ...ours, "ec2:Add/userId": accountId },
        Null: { "ec2:Add/group": "true" }, // everybody is a group
      },
    }),
    new iam.PolicyStatement({
      actions: ["ec2:CreateTags"],
      resources,
      conditions: {
        StringEquals: ours,
        "ForAllValues:StringEquals": { "aws:TagKeys": [COPY_TAG] },
      },
    }),
  ];
}
