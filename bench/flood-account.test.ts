import { describe, expect, test } from "vitest";
import { accountOf, type Ended, type Letter, type Sent } from "./flood-account.ts";

const SENT_AT = Date.parse("2026-11-28T09:00:00.000Z");

function sent(messageId: string, change: Partial<Sent> = {}): Sent {
  return {
    ...{ messageId, sentAt: SENT_AT, expected: "alert", body: "{}", target: "a/b", ...change },
  };
}

function ended(messageId: string, outcome: string | null): Ended {
  const quarantinedAt = outcome === "contained" ? "2026-11-28T09:00:02.500Z" : null;
  return { messageId, outcome, executionArn: `e-${messageId}`, quarantinedAt };
}

const letter = (messageId: string, why = "not JSON"): Letter => ({
  ...{ messageId: `dead-${messageId}`, executionArn: `e-${messageId}`, why },
});

const POISON = { expected: "deadLetter", target: null } as const;
const REFUSED = { expected: "ignored", target: null } as const;

describe("the account of a flood", () => {
  test("is whole when every message ended as it must, and each target once", () => {
    const account = accountOf(
      [sent("1"), sent("2"), sent("3", POISON), sent("4", REFUSED)],
      [
        ...[ended("1", "contained"), ended("2", "joined")],
        ...[ended("3", "deadLettered"), ended("4", "ignored")],
      ],
      [letter("3")],
    );

    expect(account).toEqual({
      ...{ sent: 4, deliveredTwice: 0, problems: [], toContainMs: [2_500] },
      ends: { acted: 1, audited: 0, joined: 1, ignored: 1, deadLetter: 1 },
    });
  });

  test("counts what SQS gave up as a dead letter", () => {
    const given = { messageId: "1", executionArn: null, why: "moved" };

    expect(accountOf([sent("1", POISON)], [], [given])).toMatchObject({
      ...{ problems: [], ends: { deadLetter: 1 } },
    });
  });

  test("takes a message that came twice for one, if the second joined", () => {
    const twice = [ended("1", "joined"), { ...ended("1", "contained"), executionArn: "e-1b" }];

    expect(accountOf([sent("1")], twice, [])).toMatchObject({
      ...{ deliveredTwice: 1, problems: [], ends: { acted: 1 } },
    });
  });

  test.each([
    ["a message of which nothing came", [sent("1")], [], [], "lost"],
    ["an execution that failed", [sent("1")], [ended("1", null)], [], "lost"],
    [
      "a target that was contained twice",
      [sent("1"), sent("2")],
      [ended("1", "contained"), ended("2", "partial")],
      [],
      "contained 2 times",
    ],
    [
      "a target that nobody contained",
      [sent("1")],
      [ended("1", "joined")],
      [],
      "contained 0 times",
    ],
    [
      "a message that acted twice",
      [sent("1")],
      [ended("1", "contained"), { ...ended("1", "contained"), executionArn: "e-1b" }],
      [],
      "acted twice",
    ],
    ["poison without a reason", [sent("1", POISON)], [ended("1", "deadLettered")], [], "no dead"],
    ["poison that acted", [sent("1", POISON)], [ended("1", "contained")], [], "not deadLetter"],
    ["an alert that was ignored", [sent("1")], [ended("1", "ignored")], [], "not alert"],
  ])("fails for %s", (_, messages, executions, letters, problem) => {
    expect(accountOf(messages, executions, letters).problems.join("\n")).toContain(problem);
  });

  test("allows for a brake, which turns targets into audits", () => {
    const account = accountOf(
      [sent("1"), sent("2", { target: "a/c" })],
      [ended("1", "contained"), ended("2", "audited")],
      [],
    );

    expect(account).toMatchObject({ problems: [], ends: { acted: 1, audited: 1 } });
  });
});
