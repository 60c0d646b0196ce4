import { Duration, RemovalPolicy } from "aws-cdk-lib";
import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import * as events from "aws-cdk-lib/aws-events";
import * as targets from "aws-cdk-lib/aws-events-targets";
import * as iam from "aws-cdk-lib/aws-iam";
import * as kms from "aws-cdk-lib/aws-kms";
import type { ILogGroup } from "aws-cdk-lib/aws-logs";
import * as sqs from "aws-cdk-lib/aws-sqs";
import type * as sfn from "aws-cdk-lib/aws-stepfunctions";
import { Function as SstFunction, type StackContext } from "sst/constructs";
import { EVENT_SOURCE, SNAPSHOT_SHARED } from "../adapters/aws/event-bus.ts";
import { copyStatements } from "../adapters/aws/snapshot-copies.ts";
import { COPIER, fileOf } from "../functions/contract.ts";
import type { ForensicSettings } from "../stage-settings.ts";
import { forensicSettingsFor } from "../stages.ts";
import { accept, INLINE_IS_MEANT } from "./accepted-findings.ts";
import { FORENSIC_BUS } from "./forensic-names.ts";
import { logsAndNotifications } from "./foundation.ts";
import { logGroup } from "./log-group.ts";
import { notifications, OF_EXECUTION, tellFailures } from "./notifications.ts";
import { starterOf, workflow } from "./workflow.ts";

type Stack = StackContext["stack"];

/**
 * All of a forensic stage: the bus on which other accounts say what they shared, the workflow that
 * copies it, the key of the copies, and a topic that tells what failed. docs/adr/0016 says why so.
 */
export function forensic({ stack, app }: StackContext) {
  const settings = forensicSettingsFor(app.stage);
  if (!settings) throw new Error(`stages.ts has no forensic stage ${app.stage}`);
  const key = new kms.Key(stack, "CopiesKey", {
    description: "Copies of snapshots that other accounts shared",
    enableKeyRotation: true,
    removalPolicy: RemovalPolicy.RETAIN, // without it the copies are noise
  });
  const own = operationsKey(stack);
  const { emails } = settings.operations;
  const topic = notifications(stack, { displayName: "Forensic copies", key: own, emails });
  const functionName = app.logicalPrefixedName(COPIER);
  const logs = logGroup(stack, `${COPIER}Logs`, {
    name: `/aws/lambda/${functionName}`,
    days: settings.operations.logRetentionDays,
    key: own,
  });
  const fn = new SstFunction(stack, COPIER, {
    functionName,
    handler: `functions/${fileOf(COPIER)}.handler`,
    role: copierRole(stack, functionName, { logGroup: logs, key, settings }),
    timeout: 50,
    memorySize: 512,
    reservedConcurrentExecutions: 1, // looks for a copy and then makes it: never two at once
    logGroup: logs,
    environment: {
      COPY_KEY_ARN: key.keyArn,
      SNAPSHOT_LOCK: JSON.stringify({
        mode: settings.evidence.lock,
        retentionDays: settings.evidence.retentionDays,
      }),
      POWERTOOLS_METRICS_NAMESPACE: `${app.name}/${app.stage}`,
    },
  });
  accept(fn, {
    "NIST.800.53.R5-LambdaDLQ":
      "It is only invoked by the state machine, which waits for the answer and retries itself.",
    "NIST.800.53.R5-LambdaInsideVPC":
      "It reads no data and calls EC2 alone, over TLS; a VPC would be a network to guard for nothing.",
  });

  const machine = workflow({ stack, app }, "forensic/copy-snapshot", {
    functions: new Map([[COPIER, fn]]),
    key: own,
    substitutions: {},
    statements: [],
  });

  const { bus, deadLetters } = admit(stack, app.logicalPrefixedName(FORENSIC_BUS), {
    settings,
    machine,
  });
  new cloudwatch.Alarm(stack, "NotStarted", {
    metric: deadLetters.metricApproximateNumberOfMessagesVisible(),
    alarmDescription:
      "A snapshot was shared and no copy was begun: its event is in the dead letters.",
    ...{ threshold: 1, evaluationPeriods: 1 },
    treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
  }).addAlarmAction(new SnsAction(topic));
  tellFailures(stack, "CopyFailed", {
    ...{ machines: [machine], topic },
    description: "A snapshot that was shared was not copied",
    lines: [
      `A forensic copy ended ${OF_EXECUTION.status}; its input names the snapshot.`,
      `Error: ${OF_EXECUTION.error}. What to do about it is in the cause, in the console:`,
    ],
  });
  stack.addOutputs({
    Bus: bus.eventBusArn,
    CopierRole: fn.role?.roleArn ?? "",
    CopiesKey: key.keyArn,
    Notifications: topic.topicArn,
  });
}

/** Encrypts what is no copy: logs, and messages on their way. */
function operationsKey(stack: Stack): kms.Key {
  const key = new kms.Key(stack, "Key", {
    description: "Logs and notifications of the forensic stage",
    enableKeyRotation: true,
    pendingWindow: Duration.days(30),
    removalPolicy: RemovalPolicy.DESTROY,
  });
  for (const statement of logsAndNotifications(stack)) key.addToResourcePolicy(statement);
  return key;
}

/** The role of the function that copies; its name is what key policies of other accounts admit. */
function copierRole(
  stack: Stack,
  roleName: string,
  {
    logGroup,
    key,
    settings,
  }: {
    readonly logGroup: ILogGroup;
    readonly key: kms.IKey;
    readonly settings: ForensicSettings;
  },
): iam.Role {
  const role = new iam.Role(stack, "CopySnapshotRole", {
    roleName,
    assumedBy: new iam.ServicePrincipal("lambda.amazonaws.com"),
  });
  const { partition, region } = stack;
  const { sources } = settings;
  for (const { actions, resources, conditions } of [
    { actions: ["logs:CreateLogStream", "logs:PutLogEvents"], resources: [logGroup.logGroupArn] },
    { actions: ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], resources: ["*"] },
    ...copyStatements({ partition, region, keyArn: key.keyArn, sources }),
  ].map((each) => ({ conditions: {}, ...each }))) {
    role.addToPolicy(
      new iam.PolicyStatement({ actions: [...actions], resources: [...resources], conditions }),
    );
  }
  accept(role, {
    "AwsSolutions-IAM5":
      "Describing and tracing know no resource; ids of snapshots and keys of other accounts are not known before.",
    "NIST.800.53.R5-IAMNoInlinePolicy": INLINE_IS_MEANT,
  });
  return role;
}

/** The bus that takes from the named accounts what one of our stages says, and nothing else. */
function admit(
  stack: Stack,
  eventBusName: string,
  {
    settings: { sources },
    machine,
  }: { readonly settings: ForensicSettings; readonly machine: sfn.StateMachine },
): { readonly bus: events.EventBus; readonly deadLetters: sqs.Queue } {
  const bus = new events.EventBus(stack, "Bus", { eventBusName });
  bus.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: "StagesThatShare",
      principals: sources.map((account) => new iam.AccountPrincipal(account)),
      actions: ["events:PutEvents"],
      resources: [bus.eventBusArn],
      conditions: {
        StringEquals: { "events:source": EVENT_SOURCE, "events:detail-type": SNAPSHOT_SHARED },
      },
    }),
  );
  const deadLetters = new sqs.Queue(stack, "DeadLetters", {
    encryption: sqs.QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: Duration.days(14),
  });
  accept(deadLetters, { "AwsSolutions-SQS3": "It is the dead-letter queue; an alarm watches it." });
  const role = starterOf(machine, stack, "RuleRole");
  new events.Rule(stack, "SnapshotShared", {
    eventBus: bus,
    eventPattern: {
      source: [EVENT_SOURCE],
      detailType: [SNAPSHOT_SHARED],
      account: [...sources],
    },
    targets: [new targets.SfnStateMachine(machine, { role, deadLetterQueue: deadLetters })],
  });
  return { bus, deadLetters };
}
