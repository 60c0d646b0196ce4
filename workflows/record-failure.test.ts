/** What record-failure hands to its function, and what it tells where that fails. */
import jsonata from "jsonata";
import { expect, test } from "vitest";
import * as z from "zod";
import { workflowNamed } from "./definition.ts";

const { states } = workflowNamed("record-failure");

const EVENT = {
  ...{ source: "aws.states", "detail-type": "Step Functions Execution Status Change" },
  region: "eu-central-1",
  detail: {
    executionArn: "arn:aws:states:eu-central-1:111122223333:execution:contain:a",
    stateMachineArn: "arn:aws:states:eu-central-1:111122223333:stateMachine:contain",
    ...{
      name: "a",
      status: "TIMED_OUT",
      startDate: 1_700_000_000_123,
      stopDate: 1_700_003_600_123,
    },
    ...{ input: "the alert", output: null, error: null, cause: null },
    ...{ redriveCount: 2, redriveStatus: "REDRIVABLE", redriveStatusReason: null },
  },
};

/** An expression of a state, as Step Functions evaluates it. */
function evaluate(expression: string, input: unknown): Promise<unknown> {
  const written = expression.replace(/^\{%|%\}$/g, "").replaceAll(/\$\{Stage\}/g, "prod");
  return jsonata(written).evaluate(
    {},
    { states: { input, context: { Execution: { Input: EVENT } } } },
  );
}

const Publish = z.object({ Subject: z.string(), Message: z.string() });

test("the function is given what it needs of the event, and nothing of the alert", async () => {
  const { Payload } = z
    .object({ Payload: z.object({ input: z.string() }) })
    .parse(states.get("RecordFailure")?.Arguments);

  expect(await evaluate(Payload.input, EVENT)).toEqual({
    executionArn: EVENT.detail.executionArn,
    ...{
      name: "a",
      status: "TIMED_OUT",
      startDate: 1_700_000_000_123,
      stopDate: 1_700_003_600_123,
    },
    ...{ error: null, cause: null },
    ...{ redriveCount: 2, redriveStatus: "REDRIVABLE", redriveStatusReason: null },
  });
});

test("where the function fails, the failure is told all the same, with the command to go on with", async () => {
  const { Subject, Message } = Publish.parse(states.get("TellPlainly")?.Arguments);
  const input = { error: "EvidenceDenied" };

  expect(await evaluate(Subject, input)).toBe("[prod] TIMED_OUT: containment run a");
  expect(await evaluate(Message, input)).toBe(
    `Containment run a ended TIMED_OUT.
How it stands could not be read from the evidence: EvidenceDenied.
It may have changed the cluster before: its case stays open, and further alerts about the same
target join it and do not act until it is redriven.
Error: none. What to do about it is in the cause, in the console:
https://eu-central-1.console.aws.amazon.com/states/home?region=eu-central-1#/v2/executions/details/${EVENT.detail.executionArn}
Then: npx containment redrive a --stage prod`,
  );
});
