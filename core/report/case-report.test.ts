import { expect, test } from "vitest";
import { detectionOf } from "../../test/memory/detections.ts";
import { caseOf } from "../case/case.ts";
import { MANIFEST_SCHEMA } from "../evidence/manifest.ts";
import type { FailureRecord } from "../evidence/schemas/case.ts";
import type { PodTarget } from "../target/target.ts";
import type { AbsorbedCase } from "./absorbed.ts";
import { caseReport, type ReportedRun } from "./case-report.ts";

const TARGET: PodTarget = {
  ...{ kind: "pod", cluster: "prod-eks-1", namespace: "shop", name: "cart-1" },
  ...{ uid: null, containerId: null },
};
const ABOUT = { stage: "test", exportedAt: "2026-11-22T19:00:00.000Z" };

function reported({
  absorbed = [],
  failures = [],
  runs = [],
}: {
  readonly absorbed?: readonly AbsorbedCase[];
  readonly failures?: readonly FailureRecord[];
  readonly runs?: readonly ReportedRun[];
}) {
  const { execution } = detectionOf(TARGET, "first");
  const record = {
    ...{ case: caseOf(execution), target: TARGET, mode: "containment" as const },
    openedAt: execution.startedAt,
  };
  const joined = ["second", "third"].map((name) => detectionOf(TARGET, name));
  return caseReport({ record, joined, absorbed, failures, runs }, ABOUT);
}

test("a case's report counts all of its alerts, and tells each that joined with its time", () => {
  const [summary, timeline] = reported({}).sections;

  expect(summary?.rows).toContainEqual(["Alerts", "3"]);
  expect(timeline?.rows.filter(([, what]) => what?.startsWith("a further alert"))).toHaveLength(2);
});

test("a case's report names the cases that it took up, and how many alerts lie with them", () => {
  const other = caseOf(detectionOf(TARGET, "other").execution);

  const [summary] = reported({
    absorbed: [
      { case: other, target: TARGET, why: "sameTarget", alerts: 4 },
      { case: other, target: TARGET, why: "inNamespace", alerts: 0 },
    ],
  }).sections;

  const [same, inside] = (summary?.rows ?? []).filter(
    ([name]) => name === `Took up case ${other.id}`,
  );
  expect(same?.[1]).toBe(
    "pod shop/cart-1: proven to be the same target; this case acts for it; alerts that lie with it: 4",
  );
  expect(inside?.[1]).toMatch(/^pod shop\/cart-1: a pod of this namespace; .* is released$/);
});

test("a drain stands in its case's report with who asked, who left, and what held the rest", () => {
  const { execution } = detectionOf(TARGET, "drain");
  const { id: caseId, runId } = caseOf(execution);
  const pod = (name: string) => ({
    node: "node-1",
    namespace: "shop",
    name,
    uid: `uid-of-${name}`,
  });
  const run: ReportedRun = {
    ...{ runId, alert: null, identity: null, plan: null, preservationPlan: null },
    ...{ preservation: null, volumes: null, snapshots: null, result: null },
    drain: {
      ...{ caseId, containedRunId: "run-1", reason: "the node goes to forensics" },
      ...{ endedAt: execution.startedAt, verdict: "partial", notDrained: [] },
      brakes: [{ brake: "killSwitch", withheld: "the rest", why: "engaged", lift: "release it" }],
      pods: [
        { ...pod("cart"), outcome: "left", reason: null },
        { ...pod("db"), outcome: "withheld", reason: "engaged" },
      ],
    },
    manifest: {
      ...{ schema: MANIFEST_SCHEMA, runId, caseId, execution, productVersion: "0.1.0" },
      ...{ sealedAt: execution.startedAt, previous: null, artefacts: [], missing: [] },
      warnings: [],
    },
    verification: {
      ...{ runId, verified: true, artefacts: 2, manifestSha256: "5c0a", checks: [], problems: [] },
    },
  };

  const { sections } = reported({ runs: [run] });

  const rows = sections.flatMap((section) => section.rows);
  expect(rows).toContainEqual([
    `Run ${runId}`,
    "nodes partial, asked for because: the node goes to forensics; its evidence verifies",
  ]);
  expect(rows).toContainEqual([execution.startedAt, "a drain was asked for", execution.arn]);
  expect(rows).toContainEqual([execution.startedAt, "the run was sealed", "RecordDrain"]);
  expect(rows).toContainEqual(["shop/cart", "left"]);
  expect(rows).toContainEqual(["shop/db", "withheld: engaged"]);
  expect(rows).toContainEqual([
    "Brake killSwitch",
    "engaged; withheld: the rest. To lift it: release it",
  ]);
});

test("each attempt that failed stands in its case's report with its cause, and how it stood then", () => {
  const { execution } = detectionOf(TARGET, "first");
  const { id: caseId, runId } = caseOf(execution);
  const failure: FailureRecord = {
    ...{ caseId, execution, attempt: 0, status: "FAILED", error: "KubernetesUnavailable" },
    cause: "patch pod: no answer. Look at the API server.",
    ...{ endedAt: "2026-11-22T17:56:00.000Z", redrivable: true, notRedrivable: null },
    standing: {
      ...{ reached: "planned", runId, target: TARGET, mode: "containment", verdict: null },
      ...{ done: "The plan is kept.", open: "Take the target as not contained." },
    },
    recordedAt: "2026-11-22T17:56:01.000Z",
  };
  const again: FailureRecord = {
    ...{ ...failure, attempt: 1, status: "ABORTED", error: null, cause: null },
    ...{ endedAt: null, redrivable: false, notRedrivable: "older than 14 days" },
  };

  const { sections } = reported({ failures: [failure, again] });

  const [, timeline, failed] = sections;
  expect(timeline?.rows).toContainEqual([
    ...[failure.endedAt, "attempt 1 ended FAILED (KubernetesUnavailable)", execution.arn],
  ]);
  expect(timeline?.rows).toContainEqual([
    again.recordedAt,
    "attempt 2 ended ABORTED",
    execution.arn,
  ]);
  expect(failed?.title).toBe("What failed");
  expect(failed?.rows).toEqual([
    ["attempt 1 ended FAILED (KubernetesUnavailable)", failure.cause],
    ["Done by then", "The plan is kept."],
    ["Open then", "Take the target as not contained."],
    [
      "Redrive",
      `npx containment redrive ${execution.name} --stage ${ABOUT.stage}, unless that was done since`,
    ],
    ["attempt 2 ended ABORTED", "it gave no cause"],
    ["Done by then", "The plan is kept."],
    ["Open then", "Take the target as not contained."],
    ["Redrive", "not possible: older than 14 days"],
  ]);
});
