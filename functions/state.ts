import { Logger } from "@aws-lambda-powertools/logger";
import { injectLambdaContext } from "@aws-lambda-powertools/logger/middleware";
import { Metrics } from "@aws-lambda-powertools/metrics";
import { logMetrics } from "@aws-lambda-powertools/metrics/middleware";
import middy, { type MiddlewareObj } from "@middy/core";
import * as z from "zod";
import { invocation } from "../adapters/invocation.ts";
import type { Execution } from "../core/case/case.ts";
import { PermanentError } from "../core/errors.ts";
import type { COPIER, StateName } from "./contract.ts";

type Name = StateName | typeof COPIER;

/** What the workflow sends to every function: the state's input, and who is asking. */
const Envelope = z.object({
  execution: z.object({ arn: z.string(), name: z.string(), startedAt: z.string() }),
  input: z.unknown(),
});

/** What Lambda tells with every call of how long the function may run. */
interface TimeLimit {
  getRemainingTimeInMillis(): number;
}

export const logger = new Logger({ serviceName: "eks-containment" });
export const metrics = new Metrics(); // its namespace, which is the stage's, comes from the stack

/**
 * The handler of one state: the shared middleware around one call. The envelope and the input are
 * parsed, case and execution stand in every log line, and an error leaves with the `name` that the
 * workflow matches.
 */
export function state<Input extends z.ZodType, Output>(
  name: Name,
  schema: Input,
  run: (input: z.output<Input>, execution: Execution) => Promise<Output>,
) {
  metrics.setDefaultDimensions({ state: name });
  // Middy's early answer for a function out of time would leave its process alive, with unfinished work.
  return middy({ timeoutEarlyInMillis: 0 })
    .use(injectLambdaContext(logger, { resetKeys: true }))
    .use(logMetrics(metrics, { captureColdStartMetric: true }))
    .use(logFailure(name))
    .handler(async (event: unknown, context: TimeLimit): Promise<Output> => {
      const { execution, input } = parse(Envelope, event, name);
      logger.appendKeys({ state: name, execution: execution.arn, case: caseIn(input) });
      logger.info(`${name} begins`);
      const parsed = parse(schema, input, name);
      const until = Date.now() + context.getRemainingTimeInMillis();
      const caller = { state: name, execution: execution.arn, until };
      const output = await invocation.run(caller, () => run(parsed, execution));
      logger.info(`${name} ends`);
      return output;
    });
}

function parse<Schema extends z.ZodType>(schema: Schema, value: unknown, name: Name) {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new PermanentError(
    "InvalidInput",
    `${name} cannot read its input: ${z.prettifyError(parsed.error)}`,
  );
}

/** The case's id when the state already knows one, for the log. */
function caseIn(input: unknown): string | undefined {
  const withCase = z.object({ case: z.object({ id: z.string() }) }).safeParse(input);
  return withCase.success ? withCase.data.case.id : undefined;
}

function logFailure(name: Name): MiddlewareObj<unknown, unknown, Error> {
  return {
    onError({ error }) {
      logger.error(`${name} failed`, { error });
    },
  };
}
