import { Duration } from "aws-cdk-lib";
import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import * as events from "aws-cdk-lib/aws-events";
import * as targets from "aws-cdk-lib/aws-events-targets";
import type * as sns from "aws-cdk-lib/aws-sns";
import * as sqs from "aws-cdk-lib/aws-sqs";
import type { IStateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { type StackContext, use } from "sst/constructs";
import type { StateName } from "../functions/contract.ts";
import { settingsFor } from "../stages.ts";
import { detection } from "./detection.ts";
import { failureOf, OF_EXECUTION, tellFailures } from "./notifications.ts";
import { operations } from "./operations.ts";
import { metricsNamespace, playbook } from "./playbook.ts";
import { starterOf } from "./workflow.ts";

type Stack = StackContext["stack"];
type Machines = ReturnType<typeof playbook>["machines"];

const MINUTE = Duration.minutes(1);

/**
 * Alarms about what must not pass unnoticed, the message about a run that failed, and a dashboard.
 * What became of a run that ended is told by the workflow itself.
 */
export function monitoring({ stack, app }: StackContext) {
  const { operations: objectives, response } = settingsFor(app.stage);
  const { timeToContainSeconds } = objectives;
  const { machines, functions, deadLetters } = use(playbook);
  const { alerts } = use(detection);
  const { topic } = use(operations);

  const timeToContain = new cloudwatch.Metric({
    namespace: metricsNamespace(app),
    metricName: "TimeToContain",
    dimensionsMap: { state: "RecordRun", service: app.name },
    statistic: "Maximum",
    period: MINUTE,
  });
  const alarms = alarmsTo(stack, topic);
  for (const [name, machine] of Object.entries(machines)) {
    alarms(
      `${machine.node.id}ExecutionFailed`,
      endedBadly(machine),
      1,
      `A run of ${name} failed: what it left half done is in its case. Go on with: npx containment redrive`,
    );
  }
  alarms(
    "TimeToContainOverObjective",
    timeToContain,
    timeToContainSeconds * 1000 + 1,
    `A containment took longer than ${timeToContainSeconds} s: see the dashboard for where it went.`,
  );
  // Twice as long as from look to look, so that each period has one and the alarm stands until the
  // drift is gone.
  const looks = Duration.minutes(Math.min(2 * Math.max(response.reverifyMinutes, 1), 1_440));
  const ofLooks = (metricName: string, state: StateName) =>
    new cloudwatch.Metric({
      ...{ namespace: metricsNamespace(app), metricName, statistic: "Maximum", period: looks },
      dimensionsMap: { state, service: app.name },
    });
  alarms(
    "ContainmentDrift",
    ofLooks("ContainmentDrift", "ReverifyCase"),
    1,
    "What a run made no longer stands as it was: the notification of the case says what changed.",
  );
  alarms(
    "CasesNotVerified",
    ofLooks("CasesNotVerified", "ListOpenCases"),
    1,
    "Open cases could not be looked at again, or are too many: whether they hold is not known.",
  );
  alarms(
    "CircuitBreakerHolds",
    new cloudwatch.Metric({
      ...{ namespace: metricsNamespace(app), metricName: "Braked_circuitBreaker" },
      ...{ statistic: "Sum", period: MINUTE },
      dimensionsMap: { state: "RecordRun", service: app.name },
    }),
    1,
    "More new targets than the stage contains without a person: further ones are only audited. Each run's notification says how to contain its target by hand.",
  );
  alarms(
    "DeadLetters",
    deadLetters.metricApproximateNumberOfMessagesVisible({ period: MINUTE, statistic: "Maximum" }),
    1,
    "An alert could not be read or delivered. It waits in the dead-letter queue for a person.",
  );
  alarms(
    "AlertsWait",
    alerts.metricApproximateAgeOfOldestMessage({ period: MINUTE, statistic: "Maximum" }),
    60,
    "Alerts wait in the queue for over a minute: the pipe does not take them.",
  );
  for (const { state, fn } of functions) {
    const troubles = new cloudwatch.MathExpression({
      expression: "errors + throttles",
      usingMetrics: {
        errors: fn.metricErrors({ period: MINUTE, statistic: "Sum" }),
        throttles: fn.metricThrottles({ period: MINUTE, statistic: "Sum" }),
      },
      label: `${state}: errors and throttles`,
      period: MINUTE,
    });
    // The workflow retries twice or more by itself; from the third on somebody should look.
    alarms(`${state}Fails`, troubles, 3, `Function ${state} fails or is throttled: see its log.`);
  }

  tellFailedRuns(stack, machines, { topic, deadLetters });
  addDashboard(stack, app.logicalPrefixedName("containment"), {
    runs: machines.contain,
    timeToContain,
    looks: [
      ofLooks("OpenCases", "ListOpenCases"),
      ofLooks("CasesNotVerified", "ListOpenCases"),
      ofLooks("ContainmentDrift", "ReverifyCase").with({ statistic: "Sum" }),
    ],
    objectiveMs: timeToContainSeconds * 1000,
    functions: functions.map(({ fn }) => fn),
    queues: { alerts, deadLetters },
  });
}

/** How many executions of a state machine failed, timed out or were aborted. */
function endedBadly(machine: IStateMachine): cloudwatch.IMetric {
  return new cloudwatch.MathExpression({
    expression: "failed + timedOut + aborted",
    usingMetrics: {
      failed: machine.metricFailed({ period: MINUTE }),
      timedOut: machine.metricTimedOut({ period: MINUTE }),
      aborted: machine.metricAborted({ period: MINUTE }),
    },
    label: "Executions that did not end well",
    period: MINUTE,
  });
}

function alarmsTo(stack: Stack, topic: sns.ITopic) {
  return (id: string, metric: cloudwatch.IMetric, threshold: number, description: string) =>
    new cloudwatch.Alarm(stack, id, {
      metric,
      threshold,
      alarmDescription: description,
      evaluationPeriods: 1,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING, // no alerts, no numbers
    }).addAlarmAction(new SnsAction(topic));
}

/**
 * The alarm says that an execution failed. What a run left is told by the workflow record-failure;
 * of another workflow, a text says which execution it was, and the command that makes it go on.
 */
function tellFailedRuns(
  stack: Stack,
  { contain, ...others }: Machines,
  { topic, deadLetters }: { readonly topic: sns.ITopic; readonly deadLetters: sqs.IQueue },
): void {
  const role = starterOf(others.recordFailure, stack, "RunFailedRole");
  new events.Rule(stack, "RunFailed", {
    description: "A containment run failed, timed out or was aborted",
    eventPattern: failureOf([contain]),
    targets: [
      new targets.SfnStateMachine(others.recordFailure, {
        role,
        // By ARN: the queue's own stack admits rules.
        deadLetterQueue: sqs.Queue.fromQueueArn(stack, "DeadLetterQueue", deadLetters.queueArn),
      }),
    ],
  });

  const { name, status, error } = OF_EXECUTION;
  tellFailures(stack, "WorkflowFailed", {
    ...{ machines: Object.values(others), topic },
    description: "An execution of another workflow failed, timed out or was aborted",
    lines: [
      `Execution ${name} ended ${status}.`,
      `Error: ${error}. What to do about it is in the cause, in the console:`,
    ],
  });
}

function addDashboard(
  stack: Stack,
  dashboardName: string,
  shown: {
    readonly runs: IStateMachine;
    readonly timeToContain: cloudwatch.Metric;
    readonly looks: readonly cloudwatch.Metric[];
    readonly objectiveMs: number;
    readonly functions: ReturnType<typeof playbook>["functions"][number]["fn"][];
    readonly queues: Pick<ReturnType<typeof playbook>, "deadLetters"> &
      ReturnType<typeof detection>;
  },
): void {
  const { runs, timeToContain, looks, objectiveMs, functions, queues } = shown;
  // CDK's own types of widgets do not fit each other under exactOptionalPropertyTypes.
  const graph = (title: string, left: cloudwatch.IMetric[], more = {}) =>
    new cloudwatch.GraphWidget({ title, left, width: 12, ...more }) as cloudwatch.IWidget;
  new cloudwatch.Dashboard(stack, "Dashboard", {
    dashboardName,
    widgets: [
      [
        graph("Runs", [
          runs.metricStarted(),
          runs.metricSucceeded(),
          runs.metricFailed(),
          runs.metricTimedOut(),
          runs.metricAborted(),
        ]),
        graph(
          "Time to contain, ms",
          ["p50", "p90", "Maximum"].map((statistic) => timeToContain.with({ statistic })),
          { leftAnnotations: [{ value: objectiveMs, label: "objective" }] },
        ),
      ],
      [
        graph("Functions: errors and throttles", [
          ...functions.map((fn) => fn.metricErrors()),
          ...functions.map((fn) => fn.metricThrottles()),
        ]),
        graph(
          "Functions: p90 duration, ms",
          functions.map((fn) => fn.metricDuration({ statistic: "p90" })),
        ),
      ],
      [
        graph("Alerts waiting, and dead letters", [
          queues.alerts.metricApproximateNumberOfMessagesVisible(),
          queues.deadLetters.metricApproximateNumberOfMessagesVisible(),
        ]),
        graph("Cases that are open, could not be looked at, have drifted", [...looks]),
      ],
    ],
  });
}
