import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RunResult } from "../evidence/record-run.ts";
import { consoleLink, notificationOf } from "./notification.ts";

const RESULT: RunResult = {
  case: { id: "c-20261122-0123456789", runId: "20261122T175501000Z-c-20261122-0123456789" },
  execution: {
    arn: "arn:aws:states:eu-west-1:111122223333:execution:contain:a",
    name: "a",
    startedAt: "2026-11-22T17:55:01.000Z",
  },
  alert: {
    source: "falco",
    id: "1",
    rule: "Terminal shell in container",
    severity: "low",
    detectedAt: "2026-11-22T17:55:00.000Z",
  },
  target: {
    ...{ cluster: "prod-eks-1", namespace: "payments", kind: "pod", name: "checkout-1" },
    ...{ uid: null, containerId: null },
  },
  mode: "containment",
  reason: "falco alert; the stage's mode is containment",
  brakes: [],
  verdict: "partial",
  reasons: [{ code: "otherPolicyAllows", message: "NetworkPolicy payments/allow-all allows" }],
  quarantinedAt: "2026-11-22T17:55:02.500Z",
  timeToContainMs: null,
  missing: [{ state: "SnapshotNodeEbs", error: "AwsDenied", cause: "no" }],
  notPreserved: [{ what: "node-1", reason: "a Spot instance" }],
};
const WHERE = { stage: "prod", bucket: "evidence" };

const lines = (result: RunResult) => notificationOf(result, WHERE).message.split("\n");

test("a notification says what, where, the verdict with every reason, and what is missing", () => {
  const { subject, message } = notificationOf(RESULT, WHERE);

  expect(subject).toBe("[prod] partial: pod payments/checkout-1");
  expect(message).toContain("in cluster prod-eks-1");
  expect(message).toContain("node-1: a Spot instance");
  expect(message).toContain("otherPolicyAllows: NetworkPolicy payments/allow-all allows");
  expect(message).toContain("evidence of SnapshotNodeEbs (AwsDenied)");
});

test("it says which brake held what back, why, and how a person lifts it", () => {
  const brake = {
    brake: "killSwitch",
    withheld: "every write of the quarantine",
    why: "it was engaged",
    lift: "aws ssm put-parameter",
  } as const;
  const { message } = notificationOf({ ...RESULT, brakes: [brake] }, WHERE);

  expect(message).toContain("killSwitch: it was engaged; withheld: every write of the quarantine");
  expect(message).toContain("Lift       aws ssm put-parameter");
});

test("it gives the commands that a person can copy, with the ids in them", () => {
  const { message } = notificationOf(RESULT, WHERE);

  expect(message).toContain(`npx containment run ${RESULT.case.runId} --stage prod`);
  expect(message).toContain(`s3://evidence/runs/${RESULT.case.runId}/plan.json, last one first`);
  expect(message).toContain(consoleLink(RESULT.execution.arn));
});

describe("it does not offer to release what was not changed", () => {
  test.each([
    ["an audit", { mode: "audit", verdict: "audited" }],
    ["a target that was not proven", { verdict: "ignored" }],
  ] as const)("%s", (_, change) => {
    expect(lines({ ...RESULT, ...change }).join("\n")).toContain("nothing was changed");
  });
});

test("no text of an alert breaks out of its line, whatever it holds", () => {
  const expected = lines(RESULT).length;
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 2_000 }), (rule) => {
      const hostile = { ...RESULT, alert: { ...RESULT.alert, rule } };
      const { subject, message } = notificationOf(hostile, WHERE);

      expect(message.split(/[\n\r\u0085\u2028\u2029]/)).toHaveLength(expected);
      expect(subject).toMatch(/^[\x20-\x7e]{1,100}$/);
    }),
  );
});

test.each([
  ["aws", "console.aws.amazon.com"],
  ["aws-cn", "console.amazonaws.cn"],
  ["aws-us-gov", "console.amazonaws-us-gov.com"],
])("the console of partition %s is at %s", (partition, host) => {
  expect(consoleLink(`arn:${partition}:states:r-1:1:execution:m:a`)).toMatch(
    `https://r-1.${host}/states/home?region=r-1#/v2/executions/details/arn:${partition}:`,
  );
});
