import { readFileSync } from "node:fs";
import { Duration } from "aws-cdk-lib";
import * as events from "aws-cdk-lib/aws-events";
import * as iam from "aws-cdk-lib/aws-iam";
import * as sqs from "aws-cdk-lib/aws-sqs";
import { Function as SstFunction, type StackContext, use } from "sst/constructs";
import { fileOf, STATES, type StateName } from "../functions/contract.ts";
import { groupsOf, talksToCluster } from "../kubernetes/groups.ts";
import { settingsFor } from "../stages.ts";
import { accept } from "./accepted-findings.ts";
import { cluster } from "./cluster.ts";
import { contextRights } from "./context-rights.ts";
import { evidence } from "./evidence.ts";
import { foundation } from "./foundation.ts";
import { functionRole } from "./function-role.ts";
import { grantsOf, isIdle } from "./grants.ts";
import { logGroup } from "./log-group.ts";
import { network } from "./network.ts";
import { operations } from "./operations.ts";
import { arnsOf, guardQueue } from "./senders.ts";
import { workflow } from "./workflow.ts";

/** Seconds that a function may run: at least five less than its state waits, for a cold start. */
const TIMEOUT_SECONDS: Partial<Record<StateName, number>> = {
  PreserveNode: 140,
  SnapshotNodeEbs: 140,
  CaptureContext: 60,
  PreviewCredentials: 50,
  SnapshotAfter: 45, // it lists a namespace twice while policies are being resolved
  RecordRun: 55,
  ListOpenCases: 30,
  ReverifyCase: 60,
  ReapplyPolicy: 60,
  DrainNode: 60,
  RecordDrain: 55,
};
const DEFAULT_TIMEOUT_SECONDS = 10;

/**
 * How many of a function run at once. They share what the account has with everything else in it, so
 * a flood of alerts must not take all, nor be kept from starting by others.
 */
const CONCURRENCY = 10;
/** Every alert comes to these, and most no further: the stage's settings say how many at once. */
const FOR_EVERY_ALERT: readonly StateName[] = ["Triage", "OpenCase"];

/** The playbooks: one function per state, a state machine per workflow, the bus, the dead letters. */
export function playbook({ stack, app }: StackContext) {
  const settings = settingsFor(app.stage);
  const { key } = use(foundation);
  const { topic, killSwitch } = use(operations);
  const { bucket, key: evidenceKey } = use(evidence);
  const { vpc, subnets, functionGroup } = use(network);
  const { name: clusterName, arn: clusterArn, admit } = use(cluster);

  const bus = new events.EventBus(stack, "Bus", { eventBusName: app.logicalPrefixedName("bus") });
  const deadLetters = new sqs.Queue(stack, "DeadLetters", {
    encryption: sqs.QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: Duration.days(14), // the longest there is: a person has to look
  });
  accept(deadLetters, {
    "AwsSolutions-SQS3": "It is the dead-letter queue of everything else; an alarm watches it.",
  });
  // Said here for all rules: naming each would make this stack depend on the stack of the rules.
  deadLetters.addToResourcePolicy(
    new iam.PolicyStatement({
      principals: [new iam.ServicePrincipal("events.amazonaws.com")],
      actions: ["sqs:SendMessage"],
      resources: [deadLetters.queueArn],
      conditions: {
        ArnLike: {
          "aws:SourceArn": stack.formatArn({
            service: "events",
            resource: "rule",
            resourceName: "*",
          }),
        },
      },
    }),
  );

  const resources = {
    bucketArn: bucket.bucketArn,
    evidenceKeyArn: evidenceKey.keyArn,
    busArn: bus.eventBusArn,
    clusterArn,
    partition: stack.partition,
    account: stack.account,
    region: stack.region,
    urlSuffix: stack.urlSuffix,
  };
  const functionFor = (state: StateName) => {
    const functionName = app.logicalPrefixedName(state);
    const logs = logGroup(stack, `${state}Logs`, {
      name: `/aws/lambda/${functionName}`,
      days: settings.operations.logRetentionDays,
      key,
    });
    const role = functionRole(stack, state, {
      functionName,
      logGroup: logs,
      statements: grantsOf(state, resources),
    });
    const fn = new SstFunction(stack, state, {
      functionName,
      handler: `functions/${fileOf(state)}.handler`,
      role,
      timeout: TIMEOUT_SECONDS[state] ?? DEFAULT_TIMEOUT_SECONDS,
      memorySize: 1024, // CPU comes with memory, and a cold start is CPU
      reservedConcurrentExecutions: FOR_EVERY_ALERT.includes(state)
        ? settings.operations.alertsAtOnce
        : CONCURRENCY,
      logGroup: logs,
      environment: {
        EVIDENCE_BUCKET: bucket.bucketName,
        EVENT_BUS_NAME: bus.eventBusName,
        PRODUCT_VERSION: productVersion(),
        CLUSTER_NAME: clusterName,
        CLUSTER_ARN: clusterArn,
        STAGE: app.stage,
        RESPONSE_SETTINGS: JSON.stringify(settings.response),
        QUARANTINE_SETTINGS: JSON.stringify(settings.quarantine),
        PRESERVATION_SETTINGS: JSON.stringify(settings.preservation),
        SNAPSHOT_LOCK: JSON.stringify({
          mode: settings.evidence.lock,
          retentionDays: settings.evidence.retentionDays,
        }),
        POWERTOOLS_METRICS_NAMESPACE: metricsNamespace(app),
      },
      vpc,
      vpcSubnets: subnets,
      securityGroups: [functionGroup],
    });
    accept(fn, {
      "NIST.800.53.R5-LambdaDLQ":
        "It is only invoked by the state machine, which waits for the answer and retries itself.",
    });
    if (talksToCluster(state) && !isIdle(state, settings)) admit(role, groupsOf(state));
    return fn;
  };
  const functions = STATES.map((state) => ({ state, fn: functionFor(state) }));

  const publish = [
    new iam.PolicyStatement({ actions: ["sns:Publish"], resources: [topic.topicArn] }),
    new iam.PolicyStatement({
      actions: ["kms:GenerateDataKey", "kms:Decrypt"], // to publish on an encrypted topic
      resources: [key.keyArn],
      conditions: { StringEquals: { "kms:ViaService": `sns.${stack.region}.${stack.urlSuffix}` } },
    }),
  ];
  const byState = new Map<string, SstFunction>(functions.map(({ state, fn }) => [state, fn]));
  const shared = { functions: byState, key };

  const contain = workflow({ stack, app }, "contain", {
    ...shared,
    substitutions: {
      DeadLetterQueueUrl: deadLetters.queueUrl,
      KillSwitchName: killSwitch.parameterName,
      TopicArn: topic.topicArn,
      EvidenceWaitSeconds: String(settings.evidence.waitSeconds),
    },
    statements: [
      new iam.PolicyStatement({
        actions: ["sqs:SendMessage"],
        resources: [deadLetters.queueArn],
      }),
      new iam.PolicyStatement({
        actions: ["ssm:GetParameter"],
        resources: [killSwitch.parameterArn],
      }),
      ...publish,
      ...contextRights(stack, clusterName),
    ],
    stars:
      "CloudTrail's events and queries know no resource; what only AWS names is in stacks/context-rights.ts",
  });

  const reverify = workflow({ stack, app }, "reverify", {
    ...shared,
    substitutions: { KillSwitchName: killSwitch.parameterName, TopicArn: topic.topicArn },
    statements: [
      new iam.PolicyStatement({
        actions: ["ssm:GetParameter"],
        resources: [killSwitch.parameterArn],
      }),
      ...publish,
    ],
  });

  // A person starts it: nothing that can put an event on the bus can have a node emptied.
  const drain = workflow({ stack, app }, "drain", {
    ...shared,
    substitutions: { KillSwitchName: killSwitch.parameterName },
    statements: [
      new iam.PolicyStatement({
        actions: ["ssm:GetParameter"],
        resources: [killSwitch.parameterArn],
      }),
    ],
  });

  const recordFailure = workflow({ stack, app }, "record-failure", {
    ...shared,
    substitutions: { TopicArn: topic.topicArn, Stage: app.stage },
    statements: publish,
  });

  // Besides AWS's services only this one sends here: what it cannot read.
  guardQueue(deadLetters, arnsOf([contain.role]), "admitted");

  stack.addOutputs({
    Bus: bus.eventBusName,
    DeadLetterQueue: deadLetters.queueUrl,
  });
  const machines = { contain, reverify, drain, recordFailure };
  return { machines, functions, bus, deadLetters, publish };
}

/** Two stages of one account measure apart. */
export function metricsNamespace({ name, stage }: StackContext["app"]): string {
  return `${name}/${stage}`;
}

function productVersion(): string {
  const { version }: { version: string } = JSON.parse(readFileSync("package.json", "utf8"));
  return version;
}
