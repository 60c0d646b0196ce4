import { expect, test } from "vitest";
import { NEEDS } from "../../functions/needs.ts";
import { workflows } from "../../workflows/definition.ts";
import { JOBS } from "./jobs.ts";
import { PLAYBOOKS } from "./playbook.ts";
import { matrix, page } from "./report.ts";
import { CELLS } from "./table.ts";

const ids = CELLS.map(({ id }) => id);

test("a state has the columns of what it declares that it needs, and no others", () => {
  const services = new Map(
    Object.keys(NEEDS).map((state) => [
      state,
      [
        ...new Set(
          CELLS.filter((cell) => cell.state === state).map(({ column }) => column.split("-")[0]),
        ),
      ],
    ]),
  );

  expect(services.get("Triage")).toEqual([]);
  expect(services.get("RecordIgnored")).toEqual(["s3", "crash"]);
  expect(services.get("FollowSnapshots")).toEqual(["s3", "ec2", "crash"]);
  expect(services.get("RecordRun")).toEqual(["s3", "events", "crash"]);
  expect(services.get("ListOpenCases")).toEqual(["s3", "eks", "crash"]);
  expect(services.get("RecordDrain")).toEqual(["s3", "crash"]);
  expect(services.get("ApplyPolicy")).toEqual(["kubernetes", "s3", "sts", "crash", "out"]);
});

test("every workflow of a stage is in the matrix", () => {
  expect(workflows().map(({ name }) => name)).toEqual(PLAYBOOKS.toSorted());
});

test("each cell has a line of its own by which it can be run again", () => {
  const all = JOBS.map(({ id }) => id);

  expect(new Set(all).size).toBe(all.length);
  expect(all.filter((id) => !/^\w+\/[a-z0-9-]+\/[a-z-]+$/.test(id))).toEqual([]);
});

test("only a write can fail where a state writes to the cluster", () => {
  const writing = ids.filter((id) => id.endsWith("kubernetes-503/from-the-first-write"));

  expect(writing.map((id) => id.split("/")[0])).toEqual([
    "ApplyPolicy",
    "CompletePolicy",
    "PreserveNode",
    "ReapplyPolicy",
    "DrainNode",
  ]);
});

test("what the playbook catches goes on without; what it does not, fails and is redriven", () => {
  const endOf = (id: string) => CELLS.find((cell) => cell.id === id)?.end;

  expect(endOf("SnapshotAfter/kubernetes-403/lasting")).toBe("contained, SnapshotAfter missing");
  expect(endOf("RecordRun/s3-denied/lasting")).toBe("failed, then contained by redrive");
  expect(endOf("RecordRun/s3-503/briefly")).toBe("contained");
  expect(endOf("ReapplyPolicy/s3-503/lasting")).toBe("contained by the next look");
  expect(endOf("ListOpenCases/s3-503/lasting")).toBe("failed, then contained by redrive");
  expect(endOf("DrainNode/kubernetes-409/lasting")).toBe("failed, then drained by redrive");
  expect(endOf("RecordFailure/s3-denied/lasting")).toBe("told, RecordFailure missing");
});

test("the matrix shows what was run, what was not, and what is wrong", () => {
  const jobs = JOBS.filter(({ id }) => id.startsWith("RecordRun/s3-"));
  const day = "2026-11-28";
  const results = {
    "RecordRun/s3-denied/lasting": {
      ...{ end: "failed, then contained by redrive", wrong: [], day },
    },
    "RecordRun/s3-503/briefly": { end: "partial", wrong: ["ended partial, not contained"], day },
  };

  expect(matrix(jobs, results).split("\n").at(-1)).toBe(
    "| RecordRun | F      | · ·  | · · | · · | ! · |",
  );
  expect(page(jobs, results)).toContain("RecordRun/s3-503/briefly: ended partial, not contained");
});
