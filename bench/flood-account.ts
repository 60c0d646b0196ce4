/** What became of each message of a flood. Every one is accounted for, or the flood has failed. */
import type { FloodMessage } from "./flood-messages.ts";

/** How a message ended. `audited`: a brake held the containment back. */
export const ENDS = ["acted", "audited", "joined", "ignored", "deadLetter"] as const;
export type End = (typeof ENDS)[number];

/** An execution that one of the messages started. */
export interface Ended {
  readonly messageId: string;
  readonly executionArn: string;
  /** The workflow's own word, or null where it failed. */
  readonly outcome: string | null;
  readonly quarantinedAt: string | null;
}

export interface Letter {
  /** The message's id, where SQS moved it. */
  readonly messageId: string;
  /** The execution that gave it up, where one did. */
  readonly executionArn: string | null;
  readonly why: string;
}

export interface Sent extends FloodMessage {
  readonly messageId: string;
  readonly sentAt: number;
}

export interface Account {
  readonly sent: number;
  readonly ends: Readonly<Record<End, number>>;
  /** Messages that started the workflow twice: SQS and EventBridge deliver at least once. */
  readonly deliveredTwice: number;
  /** One line for each way in which a message or a target ended as it must not. */
  readonly problems: readonly string[];
  /** Milliseconds from the sending of the message that acted to the policy, one for each target. */
  readonly toContainMs: readonly number[];
}

/** Adds up what was sent against what ended. */
export function accountOf(
  sent: readonly Sent[],
  ended: readonly Ended[],
  letters: readonly Letter[],
): Account {
  const problems: string[] = [];
  const ends: Record<End, number> = { acted: 0, audited: 0, joined: 0, ignored: 0, deadLetter: 0 };
  const actedOn = new Map<string, number>();
  const toContainMs: number[] = [];
  let deliveredTwice = 0;

  const byMessage = Map.groupBy(ended, ({ messageId }) => messageId);
  const moved = new Map(letters.map((letter) => [letter.messageId, letter]));
  const given = new Map(letters.map((letter) => [letter.executionArn, letter]));

  for (const message of sent) {
    const { messageId, expected, target, sentAt } = message;
    const runs = byMessage.get(messageId) ?? [];
    if (runs.length > 1) deliveredTwice += 1;
    // Of a message that came twice the first to act decides; the others must have joined.
    const first = runs.find(({ outcome }) => endOf(outcome) !== "joined") ?? runs[0];
    const others = runs.filter((run) => run !== first);
    const end = first ? endOf(first.outcome) : moved.has(messageId) ? "deadLetter" : null;
    if (end === null) {
      const how = first ? `its execution failed: ${first.executionArn}` : "nothing came of it";
      problems.push(`message ${messageId} about ${target ?? "nothing"} is lost: ${how}`);
      continue;
    }
    ends[end] += 1;
    if (end === "deadLetter" && first && !given.get(first.executionArn)?.why) {
      problems.push(`message ${messageId} is in no dead-letter queue with a reason`);
    }
    for (const { outcome } of others) {
      if (expected === "alert" && endOf(outcome) !== "joined") {
        problems.push(`message ${messageId} acted twice`);
      }
    }
    const right = expected === "alert" ? ["acted", "audited", "joined"] : [expected];
    if (!right.includes(end))
      problems.push(`message ${messageId} ended as ${end}, not ${expected}`);
    if (end === "acted" && target !== null) {
      actedOn.set(target, (actedOn.get(target) ?? 0) + 1);
      if (first?.quarantinedAt) toContainMs.push(Date.parse(first.quarantinedAt) - sentAt);
    }
  }
  const targets = new Set(sent.flatMap(({ target }) => target ?? []));
  for (const target of targets) {
    const times = actedOn.get(target) ?? 0;
    // A brake turns a target into audits; then none of its alerts may have acted.
    if (times > 1 || (times === 0 && ends.audited === 0)) {
      problems.push(`target ${target} was contained ${times} times`);
    }
  }
  return { sent: sent.length, ends, deliveredTwice, problems, toContainMs };
}

function endOf(outcome: string | null): End | null {
  switch (outcome) {
    case null:
      return null;
    case "joined":
    case "ignored":
    case "audited":
      return outcome;
    case "deadLettered":
      return "deadLetter";
    default:
      return "acted"; // a verdict
  }
}
