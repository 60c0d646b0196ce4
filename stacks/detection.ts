import { Duration } from "aws-cdk-lib";
import * as eks from "aws-cdk-lib/aws-eks";
import * as events from "aws-cdk-lib/aws-events";
import * as targets from "aws-cdk-lib/aws-events-targets";
import * as iam from "aws-cdk-lib/aws-iam";
import * as pipes from "aws-cdk-lib/aws-pipes";
import * as sqs from "aws-cdk-lib/aws-sqs";
import type * as sfn from "aws-cdk-lib/aws-stepfunctions";
import { type StackContext, use } from "sst/constructs";
import { MANUAL_DETAIL_TYPES, MANUAL_SOURCE } from "../core/alert/manual.ts";
import { NEEDS } from "../functions/needs.ts";
import { settingsFor } from "../stages.ts";
import { accept, INLINE_IS_MEANT } from "./accepted-findings.ts";
import { cluster } from "./cluster.ts";
import type { NewCluster } from "./cluster-new.ts";
import { forensicCopy } from "./forensic-copy.ts";
import { playbook } from "./playbook.ts";
import { arnsOf, FALCO_SOURCE, guardBus, guardQueue } from "./senders.ts";
import { starterOf } from "./workflow.ts";

/**
 * How detections reach the playbook. Falcosidekick cannot put events on a bus, so it sends to a
 * queue and a pipe carries each message to the bus; GuardDuty's findings arrive on the account's
 * default bus; requests by hand are put on ours.
 */
export function detection({ stack, app }: StackContext) {
  const {
    machines: { contain, reverify },
    functions,
    bus,
    deadLetters,
  } = use(playbook);

  const alerts = new sqs.Queue(stack, "Alerts", {
    encryption: sqs.QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: Duration.days(14), // an alert outlives a long outage of the bus
    visibilityTimeout: Duration.seconds(30),
    deadLetterQueue: { queue: deadLetters, maxReceiveCount: 5 },
  });

  const { own } = use(cluster);
  const { alertSenders, preservation, requesters, response } = settingsFor(app.stage);
  const falcosidekick = own ? admitFalcosidekick(stack, alerts, own) : undefined;
  // Whoever may ask by hand may also send a dead letter again.
  guardQueue(alerts, [...arnsOf([falcosidekick]), ...alertSenders, ...requesters], "denied");

  const pipeRole = new iam.Role(stack, "PipeRole", {
    assumedBy: new iam.ServicePrincipal("pipes.amazonaws.com"),
  });
  alerts.grantConsumeMessages(pipeRole);
  const alertEvent = { source: FALCO_SOURCE, detailType: "Falco Alert" };
  pipeRole.addToPolicy(
    new iam.PolicyStatement({
      actions: ["events:PutEvents"],
      resources: [bus.eventBusArn],
      conditions: {
        StringEquals: {
          "events:source": alertEvent.source,
          "events:detail-type": alertEvent.detailType,
        },
      },
    }),
  );
  accept(pipeRole, { "NIST.800.53.R5-IAMNoInlinePolicy": INLINE_IS_MEANT });
  const pipe = new pipes.CfnPipe(stack, "AlertsToBus", {
    roleArn: pipeRole.roleArn,
    source: alerts.queueArn,
    sourceParameters: { sqsQueueParameters: { batchSize: 1 } }, // one bad alert holds up no other
    target: bus.eventBusArn,
    // No input template: the message's body stays the exact text that was sent, which neither
    // fails on what is no JSON nor rounds integers beyond 2^53.
    targetParameters: { eventBridgeEventBusParameters: alertEvent },
  });

  pipe.node.addDependency(pipeRole); // with its policy: Pipes tries its rights when it is created

  const ruleRole = starterOf(contain, stack, "RuleRole");
  // By ARN: the queue's own stack admits rules.
  const deadLetterQueue = sqs.Queue.fromQueueArn(stack, "DeadLetters", deadLetters.queueArn);
  const start = new targets.SfnStateMachine(contain, {
    role: ruleRole,
    deadLetterQueue, // after 24 hours of retries an event would be lost
  });
  new events.Rule(stack, "FalcoAlert", {
    eventBus: bus,
    eventPattern: { source: [alertEvent.source], detailType: [alertEvent.detailType] },
    targets: [start],
  });
  new events.Rule(stack, "RequestByHand", {
    eventBus: bus,
    eventPattern: { source: [MANUAL_SOURCE], detailType: Object.values(MANUAL_DETAIL_TYPES) },
    targets: [start],
  });
  new events.Rule(stack, "GuardDutyFinding", {
    eventPattern: {
      source: ["aws.guardduty"],
      detailType: ["GuardDuty Finding"],
      detail: { resource: { eksClusterDetails: { name: [{ exists: true }] } } },
    },
    targets: [start],
  });

  const announcing = functions.filter(({ state }) => "announcements" in NEEDS[state]);
  const sharing = preservation.forensicCopy ? use(forensicCopy).machine.role : undefined;
  guardBus(stack, bus, {
    alerts: arnsOf([pipeRole]),
    requests: requesters,
    announcements: arnsOf([...announcing.map(({ fn }) => fn.role), sharing]),
  });

  const { reverifyMinutes } = response;
  if (reverifyMinutes > 0) scheduleLooks(stack, reverify, { reverifyMinutes, deadLetterQueue });
  stack.addOutputs({ AlertQueue: alerts.queueUrl });
  return { alerts };
}

/** Every few minutes all open cases are looked at again. */
function scheduleLooks(
  stack: StackContext["stack"],
  reverify: sfn.IStateMachine,
  {
    reverifyMinutes,
    deadLetterQueue,
  }: { readonly reverifyMinutes: number; readonly deadLetterQueue: sqs.IQueue },
): void {
  const role = starterOf(reverify, stack, "ScheduleRole");
  new events.Rule(stack, "ReverifySchedule", {
    description: "Looks again at every open case: does what its run made still stand?",
    schedule: events.Schedule.rate(Duration.minutes(reverifyMinutes)),
    targets: [
      new targets.SfnStateMachine(reverify, {
        role,
        deadLetterQueue, // an alarm tells that nobody looks any more
        retryAttempts: 2, // what is missed is not made up for: the next start looks at the same
      }),
    ],
  });
}

/** Where Falco's Helm chart puts Falcosidekick when it is called so. */
const FALCOSIDEKICK = { namespace: "falco", serviceAccount: "falco-falcosidekick" };

/** The right to send alerts, for the one service account that sends them. */
function admitFalcosidekick(
  stack: StackContext["stack"],
  alerts: sqs.Queue,
  { resource }: NewCluster,
): iam.Role {
  const role = new iam.Role(stack, "FalcosidekickRole", {
    assumedBy: new iam.ServicePrincipal("pods.eks.amazonaws.com").withSessionTags(),
  });
  role.addToPolicy(
    new iam.PolicyStatement({ actions: ["sqs:SendMessage"], resources: [alerts.queueArn] }),
  );
  accept(role, { "NIST.800.53.R5-IAMNoInlinePolicy": INLINE_IS_MEANT });
  new eks.CfnPodIdentityAssociation(stack, "Falcosidekick", {
    clusterName: resource.ref,
    roleArn: role.roleArn,
    ...FALCOSIDEKICK,
  });
  return role;
}
