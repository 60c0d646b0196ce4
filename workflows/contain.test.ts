import { expect, test } from "vitest";
import { PERMANENT_ERRORS } from "../core/errors.ts";
import { statesIn, workflowNamed } from "./definition.ts";

const { text, machine, states, tasks } = workflowNamed("contain");

test("containment waits for evidence until one moment, over all attempts", () => {
  const { Retry, Catch } = states.get("SnapshotBefore") ?? { Retry: [], Catch: [] };

  expect(Retry).toEqual([]); // the attempts of a Retry have no total
  expect(Catch.map(({ ErrorEquals, Next }) => ({ ErrorEquals, Next }))).toEqual([
    { ErrorEquals: [...PERMANENT_ERRORS], Next: "CheckBeforePolicy" },
    { ErrorEquals: ["States.ALL"], Next: "SnapshotBeforeAgain" },
  ]);
  // Two seconds are left or more: one to wait, one for the attempt, whose limit is what is left.
  expect(text).toContain("$toMillis($states.input.evidenceUntil) - $millis() >= 2000");
  expect(states.get("WaitForSnapshot")).toMatchObject({ Type: "Wait", Seconds: 1 });
});

test("only evidence may be missing: what contains, and what seals, is never caught", () => {
  const caught = tasks.filter(([, { Catch }]) => Catch.length > 0).map(([name]) => name);

  const context = machine.States.CompleteAndPreserve?.Branches.at(-1) ?? { States: {} };
  const ofContext = [...statesIn(context)].map(([name]) => name);

  expect(ofContext).toContain("CaptureContext");
  // Without an answer about the kill switch these go on as if it were engaged.
  const ofBrakes = ["CheckBeforeNode", "CheckBeforePhase"];
  expect(caught.filter((name) => !ofContext.includes(name)).toSorted()).toEqual([
    ...ofBrakes,
    ...["FollowSnapshots", "PreserveNode"],
    ...["SnapshotAfter", "SnapshotBefore", "SnapshotNodeEbs"],
  ]);
});

test("what is caught goes on with what was missed", () => {
  const outputs = tasks.flatMap(([, { Catch }]) => Catch.map(({ Output }) => Output));

  expect(outputs.length).toBeGreaterThan(10);
  for (const output of outputs) {
    expect(output).toMatch(
      /'missing': \[(\$states\.input(\.aws)?\.missing(\[state != 'SnapshotBefore'\])?, )?\{'state': /,
    );
  }
});

test("waits long for a free function only before the kill switch is asked for the last time", () => {
  const waits = (Retry: readonly { ErrorEquals: readonly string[]; MaxAttempts: number }[]) =>
    Retry.find(({ ErrorEquals }) => ErrorEquals.includes("Lambda.TooManyRequestsException"))
      ?.MaxAttempts ?? 0;
  const long = tasks.filter(([, { Retry }]) => waits(Retry) > 20).map(([name]) => name);

  expect(long.toSorted()).toEqual(["Authenticate", "OpenCase", "RecordIgnored", "Triage"]);
});
