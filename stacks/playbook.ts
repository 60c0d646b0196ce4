import { readFileSync } from "node:fs";
import { Duration, RemovalPolicy } from "aws-cdk-lib";
import * as events from "aws-cdk-lib/aws-events";
import * as iam from "aws-cdk-lib/aws-iam";
import * as logs from "aws-cdk-lib/aws-logs";
import * as sqs from "aws-cdk-lib/aws-sqs";
import * as sfn from "aws-cdk-lib/aws-stepfunctions";
import { Function as SstFunction, type StackContext, use } from "sst/constructs";
import { fileOf, STATES, type StateName } from "../functions/contract.ts";
import { groupsOf, talksToCluster } from "../kubernetes/groups.ts";
import { settingsFor } from "../stages.ts";
import { cluster } from "./cluster.ts";
import { evidence } from "./evidence.ts";
import { grantsOf } from "./grants.ts";

/** Seconds that a function may run: at least five less than its state waits, for a cold start. */
const TIMEOUT_SECONDS: Partial<Record<StateName, number>> = { SnapshotNodeEbs: 140, RecordRun: 55 };
const DEFAULT_TIMEOUT_SECONDS = 10;

const DEFINITION = "workflows/contain.asl.json";

/** The contain playbook: one function per state, the state machine, the bus, the dead letters. */
export function playbook({ stack, app }: StackContext) {
  const settings = settingsFor(app.stage);
  const { bucket, key } = use(evidence);
  const { name: clusterName, arn: clusterArn, placement, admit } = use(cluster);

  const bus = new events.EventBus(stack, "Bus", { eventBusName: app.logicalPrefixedName("bus") });
  const deadLetters = new sqs.Queue(stack, "DeadLetters", {
    encryption: sqs.QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: Duration.days(14), // the longest there is: a person has to look
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

  const functionFor = (state: StateName) => {
    const functionName = app.logicalPrefixedName(state);
    const fn = new SstFunction(stack, state, {
      functionName,
      handler: `functions/${fileOf(state)}.handler`,
      timeout: TIMEOUT_SECONDS[state] ?? DEFAULT_TIMEOUT_SECONDS,
      memorySize: 1024, // CPU comes with memory, and a cold start is CPU
      logGroup: new logs.LogGroup(stack, `${state}Logs`, {
        logGroupName: `/aws/lambda/${functionName}`,
        retention: logs.RetentionDays.ONE_YEAR,
        removalPolicy: RemovalPolicy.DESTROY, // the name must be free for the next deployment
      }),
      environment: {
        EVIDENCE_BUCKET: bucket.bucketName,
        EVENT_BUS_NAME: bus.eventBusName,
        PRODUCT_VERSION: productVersion(),
        CLUSTER_NAME: clusterName,
        CLUSTER_ARN: clusterArn,
        RESPONSE_SETTINGS: JSON.stringify(settings.response),
        QUARANTINE_SETTINGS: JSON.stringify(settings.quarantine),
      },
      ...placement,
    });
    for (const statement of grantsOf(state, {
      bucketArn: bucket.bucketArn,
      evidenceKeyArn: key.keyArn,
      busArn: bus.eventBusArn,
      clusterArn,
      partition: stack.partition,
      account: stack.account,
      region: stack.region,
      urlSuffix: stack.urlSuffix,
    })) {
      fn.addToRolePolicy(statement);
    }
    if (talksToCluster(state)) admit(fn, groupsOf(state));
    return fn;
  };
  const functions = STATES.map((state) => ({ state, fn: functionFor(state) }));

  const machine = new sfn.StateMachine(stack, "Contain", {
    stateMachineName: app.logicalPrefixedName("contain"),
    stateMachineType: sfn.StateMachineType.STANDARD, // redrive, and a history of 90 days
    definitionBody: sfn.DefinitionBody.fromFile(DEFINITION),
    definitionSubstitutions: {
      DeadLetterQueueUrl: deadLetters.queueUrl,
      ...Object.fromEntries(functions.map(({ state, fn }) => [`${state}Function`, fn.functionArn])),
    },
  });
  for (const { fn } of functions) fn.grantInvoke(machine);
  deadLetters.grantSendMessages(machine);

  stack.addOutputs({
    StateMachine: machine.stateMachineArn,
    Bus: bus.eventBusName,
    DeadLetterQueue: deadLetters.queueUrl,
  });
  return { machine, bus, deadLetters };
}

function productVersion(): string {
  const { version }: { version: string } = JSON.parse(readFileSync("package.json", "utf8"));
  return version;
}
