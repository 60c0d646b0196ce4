import { expect, test } from "vitest";
import { detectionOf } from "../../test/memory/detections.ts";
import { caseOf } from "../case/case.ts";
import type { PodTarget } from "../target/target.ts";
import type { AbsorbedCase } from "./absorbed.ts";
import { caseReport } from "./case-report.ts";

const TARGET: PodTarget = {
  ...{ kind: "pod", cluster: "prod-eks-1", namespace: "shop", name: "cart-1" },
  ...{ uid: null, containerId: null },
};
const ABOUT = { stage: "test", exportedAt: "2026-11-22T19:00:00.000Z" };

function reported({ absorbed = [] }: { readonly absorbed?: readonly AbsorbedCase[] }) {
  const { execution } = detectionOf(TARGET, "first");
  const record = {
    ...{ case: caseOf(execution), target: TARGET, mode: "containment" as const },
    openedAt: execution.startedAt,
  };
  const joined = ["second", "third"].map((name) => detectionOf(TARGET, name));
  return caseReport({ record, joined, absorbed, runs: [] }, ABOUT);
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
