import {
  DescribeExecutionCommand,
  DescribeStateMachineForExecutionCommand,
  type HistoryEvent,
  ListExecutionsCommand,
  paginateGetExecutionHistory,
  RedriveExecutionCommand,
  SFNClient,
  type SFNClientConfig,
  StartExecutionCommand,
} from "@aws-sdk/client-sfn";

export interface ExecutionReport {
  readonly arn: string;
  readonly name: string;
  /** RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED or PENDING_REDRIVE. */
  readonly status: string;
  readonly startedAt: Date;
  readonly input: unknown;
  readonly output: unknown;
  readonly error: string | null;
  readonly cause: string | null;
  readonly redrives: {
    /** How often it was redriven. */
    readonly count: number;
    readonly possible: boolean;
    /** Why not, in Step Functions' words. */
    readonly reason: string | null;
  };
}

/** One visit of a state. A state that is run again after a redrive is visited twice. */
export interface StateVisit {
  readonly name: string;
  readonly enteredAt: Date;
  /** Null while it runs, and when it failed uncaught. */
  readonly exitedAt: Date | null;
}

/** The executions of one state machine. */
export interface Executions {
  /** ARNs, newest first. */
  list(): Promise<readonly string[]>;
  describe(arn: string): Promise<ExecutionReport>;
  /** Visits of states, in the order in which they were entered. */
  visits(arn: string): Promise<readonly StateVisit[]>;
  /** The definition that it began with, which a redrive keeps. */
  definition(arn: string): Promise<unknown>;
  redrive(arn: string): Promise<void>;
  /** Starts one under a name that it alone may have; one of that name before is no second start. */
  startOnce(name: string, input: string): Promise<void>;
  /** Starts one; returns its ARN. */
  start(input: unknown): Promise<string>;
}

export function executions(stateMachineArn: string, config: SFNClientConfig): Executions {
  const sfn = new SFNClient(config);
  return {
    async list() {
      const { executions: found = [] } = await sfn.send(
        new ListExecutionsCommand({ stateMachineArn, maxResults: 1000 }),
      );
      return found.flatMap(({ executionArn }) => executionArn ?? []);
    },

    async describe(arn) {
      const found = await sfn.send(new DescribeExecutionCommand({ executionArn: arn }));
      return {
        arn,
        name: found.name ?? arn,
        status: found.status ?? "UNKNOWN",
        startedAt: found.startDate ?? new Date(0),
        input: found.input === undefined ? null : JSON.parse(found.input),
        output: found.output === undefined ? null : JSON.parse(found.output),
        error: found.error ?? null,
        cause: found.cause ?? null,
        redrives: {
          count: found.redriveCount ?? 0,
          possible: found.redriveStatus === "REDRIVABLE",
          reason: found.redriveStatusReason ?? null,
        },
      };
    },

    async visits(arn) {
      const events: HistoryEvent[] = [];
      const pages = paginateGetExecutionHistory({ client: sfn }, { executionArn: arn });
      for await (const page of pages) events.push(...(page.events ?? []));
      return visitsIn(events);
    },

    async start(input) {
      const { executionArn = "" } = await sfn.send(
        new StartExecutionCommand({ stateMachineArn, input: JSON.stringify(input) }),
      );
      return executionArn;
    },

    async definition(executionArn) {
      const { definition = "{}" } = await sfn.send(
        new DescribeStateMachineForExecutionCommand({ executionArn }),
      );
      return JSON.parse(definition);
    },

    async redrive(arn) {
      await sfn.send(new RedriveExecutionCommand({ executionArn: arn }));
    },

    async startOnce(name, input) {
      try {
        await sfn.send(new StartExecutionCommand({ stateMachineArn, name, input }));
      } catch (error) {
        if (error instanceof Error && error.name === "ExecutionAlreadyExists") return;
        throw error;
      }
    },
  };
}

/** The playbook runs one state at a time, so an exit belongs to the last state entered. */
function visitsIn(events: readonly HistoryEvent[]): readonly StateVisit[] {
  const visits: { name: string; enteredAt: Date; exitedAt: Date | null }[] = [];
  for (const { stateEnteredEventDetails, stateExitedEventDetails, timestamp } of events) {
    const at = timestamp ?? new Date(0);
    const entered = stateEnteredEventDetails?.name;
    if (entered !== undefined) visits.push({ name: entered, enteredAt: at, exitedAt: null });
    const exited = stateExitedEventDetails?.name;
    const last = visits.findLast(({ name }) => name === exited);
    if (last) last.exitedAt = at;
  }
  return visits;
}
