import { readFileSync } from "node:fs";
import { join } from "node:path";
import validator from "asl-validator";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { PERMANENT_ERRORS, TRANSIENT_ERRORS } from "../core/errors.ts";
import { STATES } from "../functions/contract.ts";

const text = readFileSync(join(import.meta.dirname, "contain.asl.json"), "utf8");

const Retrier = z.object({ ErrorEquals: z.array(z.string()), MaxAttempts: z.number() });
const Catcher = z.object({
  ErrorEquals: z.array(z.string()),
  Next: z.string(),
  Output: z.string(),
});
const State = z.object({
  Type: z.string(),
  Comment: z.string(),
  TimeoutSeconds: z.union([z.number(), z.string()]).optional(),
  Seconds: z.unknown().optional(),
  Resource: z.string().optional(),
  Arguments: z.unknown().optional(),
  Retry: z.array(Retrier.loose()).default([]),
  Catch: z.array(Catcher).default([]),
});
/** Branches of a Parallel hold states of any kind, those of a Map no further ones. */
const Processor = z.object({ States: z.record(z.string(), State) });
const Branch = z.object({
  States: z.record(z.string(), State.extend({ ItemProcessor: Processor.optional() })),
});
const Machine = z.object({
  QueryLanguage: z.string(),
  TimeoutSeconds: z.number(),
  States: z.record(z.string(), State.extend({ Branches: z.array(Branch).default([]) })),
});

const machine = Machine.parse(JSON.parse(text));
const branches = Object.values(machine.States).flatMap(({ Branches }) => Branches);
const inBranches = branches.flatMap(({ States }) => Object.entries(States));
const inMaps = inBranches.flatMap(([, { ItemProcessor }]) =>
  Object.entries(ItemProcessor?.States ?? {}),
);
/** Every state by name, those of parallel branches and of the maps in them included. */
const all = {
  ...machine.States,
  ...Object.fromEntries([...inBranches, ...inMaps]),
} as Readonly<Record<string, z.output<typeof State>>>;
const states = Object.entries(all);
const tasks = states.filter(([, state]) => state.Type === "Task");

/** Errors that Step Functions and Lambda raise themselves. */
const OF_AWS = new Set([
  "States.ALL",
  "States.Timeout",
  "States.DataLimitExceeded",
  "CloudWatchLogs.ResourceNotFoundException",
  "Lambda.ClientExecutionTimeoutException",
  "Lambda.ServiceException",
  "Lambda.AWSLambdaException",
  "Lambda.SdkClientException",
  "Lambda.TooManyRequestsException",
]);
const OURS = new Set<string>([...TRANSIENT_ERRORS, ...PERMANENT_ERRORS]);

test("the definition is valid", () => {
  const rendered = JSON.parse(
    text.replaceAll(/\$\{(\w+)\}/g, "arn:aws:lambda:eu-west-1:1:function:$1"),
  );

  expect(validator(rendered, { checkPaths: true, checkArn: false })).toMatchObject({
    isValid: true,
  });
});

test("every query is JSONata, and every state tells a responder what it does", () => {
  expect(machine.QueryLanguage).toBe("JSONata");
  for (const [name, state] of states) expect(state.Comment.length, name).toBeGreaterThan(20);
});

test("every state that runs code is a function, and every function is a state", () => {
  const invoked = [...text.matchAll(/"\$\{(\w+)Function\}"/g)].map(([, name]) => name);

  expect(invoked.toSorted()).toEqual([...STATES].toSorted());
});

describe.each(tasks)("%s", (name, task) => {
  test("has a time limit", () => {
    if (name === "SnapshotBefore") expect(task.TimeoutSeconds).toContain("evidenceUntil");
    else expect(task.TimeoutSeconds).toBeGreaterThan(0);
  });

  test("retries what may heal, with States.ALL last", () => {
    if (name === "SnapshotBefore") return; // see below
    const names = task.Retry.flatMap(({ ErrorEquals }) => ErrorEquals);

    expect(names.at(-1)).toBe("States.ALL");
    expect(task.Retry.filter(({ MaxAttempts }) => MaxAttempts > 0).length).toBeGreaterThan(0);
    for (const retrier of task.Retry.filter(({ MaxAttempts }) => MaxAttempts > 0)) {
      expect(retrier).toMatchObject({ JitterStrategy: "FULL", BackoffRate: expect.any(Number) });
    }
  });

  test("names only errors that exist", () => {
    const names = [...task.Retry, ...task.Catch].flatMap(({ ErrorEquals }) => ErrorEquals);

    expect(names.filter((name) => !OURS.has(name) && !OF_AWS.has(name))).toEqual([]);
  });

  test("says for each of our errors whether it is retried", () => {
    if (task.Resource !== "arn:aws:states:::lambda:invoke" || name === "SnapshotBefore") return;
    const attempts = (name: string) =>
      task.Retry.find(({ ErrorEquals }) => ErrorEquals.includes(name))?.MaxAttempts;

    for (const name of TRANSIENT_ERRORS) expect(attempts(name), name).toBeGreaterThan(0);
    for (const name of PERMANENT_ERRORS) expect(attempts(name), name).toBe(0);
  });

  test("catches only to go on, with what was missed", () => {
    for (const { Next, Output } of task.Catch) {
      expect(["Task", "Pass", "Map", "Choice"]).toContain(all[Next]?.Type);
      expect(Output).toMatch(
        /'missing': \[(\$states\.input(\.aws)?\.missing(\[state != 'SnapshotBefore'\])?, )?\{'state': /,
      );
    }
  });
});

test("containment waits for evidence until one moment, over all attempts", () => {
  const { Retry, Catch } = all.SnapshotBefore ?? { Retry: [], Catch: [] };

  expect(Retry).toEqual([]); // the attempts of a Retry have no total
  expect(Catch.map(({ ErrorEquals, Next }) => ({ ErrorEquals, Next }))).toEqual([
    { ErrorEquals: [...PERMANENT_ERRORS], Next: "ApplyPolicy" },
    { ErrorEquals: ["States.ALL"], Next: "SnapshotBeforeAgain" },
  ]);
  // Two seconds are left or more: one to wait, one for the attempt, whose limit is what is left.
  expect(text).toContain("$toMillis($states.input.evidenceUntil) - $millis() >= 2000");
  expect(all.WaitForSnapshot).toMatchObject({ Type: "Wait", Seconds: 1 });
});

test("only evidence may be missing: what contains, and what seals, is never caught", () => {
  const caught = tasks.filter(([, { Catch }]) => Catch.length > 0).map(([name]) => name);

  const ofContext = Object.keys(branches.at(-1)?.States ?? {});
  const ofAws = [...ofContext, ...inMaps.map(([name]) => name)];

  expect(ofContext).toContain("CaptureContext");
  expect(caught.filter((name) => !ofAws.includes(name)).toSorted()).toEqual([
    ...["FollowSnapshots", "PreserveNode"],
    ...["SnapshotAfter", "SnapshotBefore", "SnapshotNodeEbs"],
  ]);
  expect(states.filter(([, { Type }]) => Type === "Fail")).toEqual([]);
});
