/** What holds for every workflow, whatever is added to this folder. */
import validator from "asl-validator";
import { describe, expect, test } from "vitest";
import { PERMANENT_ERRORS, TRANSIENT_ERRORS } from "../core/errors.ts";
import { COPIER, STATES } from "../functions/contract.ts";
import { INVOKE, workflows } from "./definition.ts";

/** Errors that Step Functions and Lambda raise themselves. */
const OF_AWS = new Set([
  "States.ALL",
  "States.Timeout",
  "States.DataLimitExceeded",
  "CloudWatchLogs.ResourceNotFoundException",
  "Ssm.ParameterNotFoundException",
  "Lambda.ClientExecutionTimeoutException",
  "Lambda.ServiceException",
  "Lambda.AWSLambdaException",
  "Lambda.SdkClientException",
  "Lambda.TooManyRequestsException",
  "Lambda.Unknown",
  "Sandbox.Timedout",
]);
/** A function that is out of time, by the names that it has had, and a state that is. */
const OUT_OF_TIME = ["States.Timeout", "Sandbox.Timedout", "Lambda.Unknown"];
const OURS = new Set<string>([...TRANSIENT_ERRORS, ...PERMANENT_ERRORS]);

const all = [...workflows(), ...workflows("forensic")];

test("every state that runs code is a function, and every function is a state", () => {
  const invoked = new Set(all.flatMap(({ invokes }) => invokes));

  expect([...invoked].toSorted()).toEqual([...STATES, COPIER].toSorted());
});

describe.each(all)("workflow $name", ({ text, machine, states, tasks }) => {
  test("is a valid definition", () => {
    const rendered = JSON.parse(
      text.replaceAll(/\$\{(\w+)\}/g, "arn:aws:lambda:eu-west-1:1:function:$1"),
    );

    expect(validator(rendered, { checkPaths: true, checkArn: false })).toMatchObject({
      isValid: true,
    });
  });

  test("has queries in JSONata, and every state tells a responder what it does", () => {
    expect(machine.QueryLanguage).toBe("JSONata");
    for (const [name, state] of states) expect(state.Comment.length, name).toBeGreaterThan(20);
  });

  test("has no state that fails by itself: a redrive would only fail again", () => {
    expect([...states].filter(([, { Type }]) => Type === "Fail")).toEqual([]);
  });

  describe.each(tasks)("%s", (name, task) => {
    /** Its attempts have one total, which a Retry cannot have: workflows/contain.test.ts. */
    const untilOneMoment = name === "SnapshotBefore";

    test("has a time limit", () => {
      if (untilOneMoment) expect(task.TimeoutSeconds).toContain("evidenceUntil");
      else expect(task.TimeoutSeconds).toBeGreaterThan(0);
    });

    test("retries what may heal, with States.ALL last", () => {
      if (untilOneMoment) return;
      const retriers = task.Retry.filter(({ MaxAttempts }) => MaxAttempts > 0);

      expect(task.Retry.flatMap(({ ErrorEquals }) => ErrorEquals).at(-1)).toBe("States.ALL");
      expect(retriers.length).toBeGreaterThan(0);
      for (const retrier of retriers) {
        // Jitter may come back at once.
        const jitter = retrier.ErrorEquals.includes("KubernetesThrottled") ? undefined : "FULL";
        expect(retrier).toMatchObject({ BackoffRate: expect.any(Number) });
        expect(retrier.JitterStrategy).toBe(jitter);
      }
    });

    test("names only errors that exist", () => {
      const names = [...task.Retry, ...task.Catch].flatMap(({ ErrorEquals }) => ErrorEquals);

      expect(names.filter((error) => !OURS.has(error) && !OF_AWS.has(error))).toEqual([]);
    });

    test("says for each of our errors whether it is retried", () => {
      if (task.Resource !== INVOKE || untilOneMoment) return;
      const attempts = (error: string) =>
        task.Retry.find(({ ErrorEquals }) => ErrorEquals.includes(error))?.MaxAttempts;

      const mayHeal = [...TRANSIENT_ERRORS, ...OUT_OF_TIME];
      for (const error of mayHeal) expect(attempts(error), error).toBeGreaterThan(2);
      for (const error of PERMANENT_ERRORS) expect(attempts(error), error).toBe(0);
    });

    test("catches only to go on", () => {
      for (const { Next } of task.Catch) {
        expect(["Task", "Pass", "Map", "Choice"]).toContain(states.get(Next)?.Type);
      }
    });
  });
});
