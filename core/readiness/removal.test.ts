import { describe, expect, test } from "vitest";
import type { Stack } from "./deployed.ts";
import { type Observed, seen, unseen } from "./finding.ts";
import { judgeRemoval, type OpenCase, observeRemoval, openCase } from "./removal.ts";

const EVIDENCE: Stack = {
  name: "evidence",
  status: "CREATE_COMPLETE",
  outputs: { EvidenceBucket: "evidence-1" },
};

const MARKER = openCase(
  "open/prod/payments/pod/checkout-1.json",
  JSON.stringify({
    case: { id: "c-20260101-1", runId: "20260101T000000000Z-c-20260101-1" },
    execution: { arn: "arn", name: "e", startedAt: "2026-01-01T00:00:00.000Z" },
    target: { kind: "pod", cluster: "prod", namespace: "payments", name: "checkout-1", uid: null },
  }),
);

async function remove(
  stacks: Observed<readonly Stack[]>,
  cases: Observed<readonly OpenCase[]>,
  anyway = false,
) {
  const asked: string[] = [];
  const observed = await observeRemoval(stacks, async (bucket) => {
    asked.push(bucket);
    return cases;
  });
  return { ...judgeRemoval("prod", observed, anyway), asked };
}

test("a stage without an open case is removed, and is told which bucket stays", async () => {
  const { allowed, message, asked } = await remove(seen([EVIDENCE]), seen([]));

  expect(allowed).toBe(true);
  expect(message).toContain("stays, locked, in bucket evidence-1");
  expect(asked).toEqual(["evidence-1"]);
});

test("a stage that is not deployed is removed without complaint", async () => {
  const failed = { ...EVIDENCE, status: "ROLLBACK_COMPLETE", outputs: {} };
  for (const stacks of [[], [failed]]) {
    expect(await remove(seen(stacks), seen([]))).toEqual({ allowed: true, message: "", asked: [] });
  }
});

describe("an open case", () => {
  test("keeps the stage, and is named with its target, its run and what to do", async () => {
    const { allowed, message } = await remove(seen([EVIDENCE]), seen([MARKER]));

    expect(allowed).toBe(false);
    expect(message).toContain(
      "c-20260101-1: pod payments/checkout-1 in cluster prod, since 2026-01-01T00:00:00.000Z, s3://evidence-1/runs/20260101T000000000Z-c-20260101-1/plan.json",
    );
    expect(message).toContain("Undo each one first");
    expect(message).toContain("CONTAINMENT_REMOVE_WITH_OPEN_CASES=yes");
  });

  test("counts once, however many markers it has", async () => {
    const proven = { ...MARKER, key: "open/prod/payments/pod/checkout-1@proven.uid-1.json" };

    const { message } = await remove(seen([EVIDENCE]), seen([MARKER, proven]));

    expect(message).toContain("Stage prod has 1 open case:");
    expect(message.match(/c-20260101-1: /g)).toHaveLength(1);
  });

  test("counts even when its marker cannot be read", async () => {
    const unreadable = openCase("open/prod/payments/pod/x.json", "{");

    const { allowed, message } = await remove(seen([EVIDENCE]), seen([unreadable]));

    expect(allowed).toBe(false);
    expect(message).toContain(
      "s3://evidence-1/open/prod/payments/pod/x.json, which cannot be read",
    );
  });

  test("is left behind when the operator insists, who is told of it", async () => {
    const { allowed, message } = await remove(seen([EVIDENCE]), seen([MARKER]), true);

    expect(allowed).toBe(true);
    expect(message).toContain("pod payments/checkout-1");
    expect(message).toContain("stays, locked, in bucket evidence-1");
  });
});

describe("not to know of a case is not to know that there is none", () => {
  const denied = unseen("not allowed to look: needs s3:ListBucket");

  test.each<
    [what: string, stacks: Observed<readonly Stack[]>, cases: Observed<readonly OpenCase[]>]
  >([
    ["a bucket that cannot be read", seen([EVIDENCE]), denied],
    ["stacks that cannot be read", denied, seen([])],
    ["a stage whose evidence stack is gone", seen([{ ...EVIDENCE, name: "playbook" }]), seen([])],
    ["an evidence stack without a bucket", seen([{ ...EVIDENCE, outputs: {} }]), seen([])],
  ])("%s keeps the stage", async (_what, stacks, cases) => {
    const { allowed, message } = await remove(stacks, cases);

    expect(allowed).toBe(false);
    expect(message).toContain("evidence.readers");
    expect((await remove(stacks, cases, true)).allowed).toBe(true);
  });
});
