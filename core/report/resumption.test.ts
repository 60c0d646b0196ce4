import { expect, test } from "vitest";
import { workflowNamed } from "../../workflows/definition.ts";
import { resumptionOf } from "./resumption.ts";

const definition: unknown = JSON.parse(workflowNamed("contain").text);
const ended = (name: string) => ({ name, exitedAt: new Date(0) });
const unended = (name: string) => ({ name, exitedAt: null });

test("a redrive resumes at the state that failed, and says what may follow", () => {
  const resumption = resumptionOf(definition, [ended("Triage"), unended("SnapshotAfter")]);

  expect(resumption).toEqual({
    ...{ at: "SnapshotAfter", within: [] },
    after: ["RecordRun", "Notify"],
  });
});

test("a state that failed before and went through since is not where it resumes", () => {
  const visits = [unended("Authenticate"), ended("Authenticate"), unended("RecordRun")];

  expect(resumptionOf(definition, visits)).toMatchObject({ at: "RecordRun", after: ["Notify"] });
});

test("of parallel branches those states run again that had not ended", () => {
  const visits = [
    ...[ended("Applied"), unended("CompleteAndPreserve"), ended("PreserveNode")],
    ...[unended("CompletePolicy"), ended("CompletePolicy"), unended("SnapshotNodeEbs")],
  ];

  expect(resumptionOf(definition, visits)).toEqual({
    ...{ at: "CompleteAndPreserve", within: ["SnapshotNodeEbs"] },
    after: ["SnapshotAfter", "RecordRun", "Notify"],
  });
});

test("a choice may go every way", () => {
  const after = resumptionOf(definition, [unended("Triage")])?.after ?? [];

  expect(after.slice(0, 4)).toEqual([
    "Triaged",
    "CheckKillSwitch",
    "RecordIgnored",
    "SendToDeadLetter",
  ]);
  expect(after).toContain("Notify");
});

test("where no state was entered nothing is said", () => {
  expect(resumptionOf(definition, [])).toBeNull();
});
