import { describe, expect, test } from "vitest";
import { type DeadLetter, destinationOf, originOf, readingOf } from "./dead-letter.ts";

const BUS = "prod-bus";
const CLUSTER = { name: "prod-eks-1", arn: null };
const EXECUTION = "arn:aws:states:us-east-1:1:execution:contain:a";
const REQUEST = JSON.stringify({
  ...{ id: "e", source: "demo.containment", "detail-type": "NamespaceContainmentRequested" },
  time: "2026-11-28T09:00:00Z",
  detail: { namespace: "payments", reason: "forged", mode: "containment" },
});
const rule = (name: string) => `arn:aws:events:us-east-1:111122223333:rule/${name}`;

function letter(change: Partial<DeadLetter>): DeadLetter {
  return {
    ...{ id: "m-1", sentAt: "2026-11-28T09:00:00.000Z", body: "hello" },
    ...{ attributes: {}, movedFrom: null, ...change },
  };
}

function resent(change: Partial<DeadLetter>) {
  const message = letter(change);
  const destination = destinationOf(message, originOf(message), BUS);
  return { destination, reading: readingOf(message, destination, CLUSTER) };
}

describe("where a dead letter came from", () => {
  test("what Triage could not read bears its reason and its execution", () => {
    const attributes = { Reason: "not JSON", Execution: EXECUTION, Source: "falco" };

    expect(originOf(letter({ attributes }))).toEqual({
      ...{ by: "triage", why: "not JSON", execution: EXECUTION, event: "falco" },
    });
  });

  test("what a rule could not deliver bears EventBridge's error", () => {
    const attributes = {
      ...{ RULE_ARN: rule(`${BUS}/FalcoAlert`), ERROR_CODE: "NO_PERMISSIONS", ERROR_MESSAGE: "no" },
    };

    expect(originOf(letter({ attributes }))).toMatchObject({
      by: "rule",
      why: "NO_PERMISSIONS: no",
    });
  });

  test("what SQS moved came from the alert queue, whatever attributes its sender gave it", () => {
    const attributes = {
      Reason: "x",
      Execution: EXECUTION,
      Source: "demo.containment",
      RULE_ARN: "r",
    };

    expect(originOf(letter({ attributes, movedFrom: "arn:aws:sqs:::alerts" })).by).toBe(
      "alertQueue",
    );
  });
});

describe("where a dead letter goes when it is sent again", () => {
  test("an alert goes to the queue of alerts and is read as one", () => {
    const { destination, reading } = resent({ movedFrom: "arn:aws:sqs:::alerts" });

    expect(destination).toEqual({ to: "alertQueue" });
    expect(reading).toMatchObject({ kind: "unreadable" });
  });

  test("an event that a rule could not deliver goes to the workflow, as it was", () => {
    const attributes = { RULE_ARN: rule(`${BUS}/RequestByHand`), ERROR_CODE: "THROTTLING" };
    const { destination, reading } = resent({ attributes, body: REQUEST });

    expect(destination).toEqual({ to: "workflow", event: REQUEST });
    expect(reading).toMatchObject({ kind: "detection", detection: { alert: { id: "e" } } });
  });

  test.each([
    ["moved by SQS", { movedFrom: "arn:aws:sqs:::alerts" }],
    [
      "moved by SQS, with the attributes of a rule",
      { movedFrom: "a", attributes: { RULE_ARN: rule(`${BUS}/x`) } },
    ],
    ["refused by Triage", { attributes: { Execution: EXECUTION, Source: "falco" } }],
    ["of nobody known", {}],
    ["of somebody else's rule", { attributes: { RULE_ARN: rule("default-rule") } }],
    ["of another bus's rule", { attributes: { RULE_ARN: rule("other-bus/x") } }],
  ])("an alert that looks like a request by hand never becomes one: %s", (_, change) => {
    const { destination, reading } = resent({ ...change, body: REQUEST });

    expect(destination.to).not.toBe("workflow");
    expect(reading.kind).toBe("unreadable");
  });

  test("a missed look at the open cases is not made up for", () => {
    const attributes = { RULE_ARN: rule("reverify") };
    const body = JSON.stringify({ source: "aws.events", "detail-type": "Scheduled Event" });

    expect(resent({ attributes, body }).destination).toMatchObject({
      to: "nowhere",
      why: expect.stringContaining("the next start looks at all of them"),
    });
  });

  test("what is no event goes nowhere as one", () => {
    const attributes = { RULE_ARN: rule(`${BUS}/x`) };

    expect(resent({ attributes, body: "hello" }).destination.to).toBe("nowhere");
    expect(resent({ attributes, body: "[]" }).destination.to).toBe("nowhere");
  });
});
