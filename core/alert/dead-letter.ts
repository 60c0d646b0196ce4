import * as z from "zod";
import { readEvent, readText } from "./read-event.ts";
import { type ClusterIdentity, type Reading, unreadable } from "./reading.ts";

/** A message of the dead-letter queue. */
export interface DeadLetter {
  /** SQS's MessageId. */
  readonly id: string;
  /** When it was put into this queue, or, for one that SQS moved, into the first. UTC. */
  readonly sentAt: string;
  readonly body: string;
  /** Message attributes, which anybody who may send can set. */
  readonly attributes: Readonly<Record<string, string>>;
  /** ARN of the queue that SQS moved it from: only SQS sets this. */
  readonly movedFrom: string | null;
}

/** Who gave the message up, and why. */
export type Origin =
  | { readonly by: "alertQueue"; readonly why: string }
  | {
      readonly by: "triage";
      readonly why: string;
      readonly execution: string;
      readonly event: string;
    }
  | { readonly by: "rule"; readonly why: string; readonly rule: string }
  | { readonly by: "unknown"; readonly why: string };

/**
 * Says who put the message here. What SQS itself says comes first: a message that it moved bears the
 * attributes that its sender chose, so those of a forged alert prove nothing.
 */
export function originOf({ attributes, movedFrom }: DeadLetter): Origin {
  if (movedFrom !== null) {
    return {
      by: "alertQueue",
      why: `the pipe could not put it on the bus: SQS moved it from ${movedFrom}`,
    };
  }
  const { Reason, Execution, Source, RULE_ARN, ERROR_CODE, ERROR_MESSAGE } = attributes;
  if (RULE_ARN !== undefined) {
    const why = [ERROR_CODE, ERROR_MESSAGE].filter((part) => part !== undefined).join(": ");
    return { by: "rule", rule: RULE_ARN, why: why || "the rule could not deliver it" };
  }
  if (Execution !== undefined) {
    const why = Reason ?? "no reason was given";
    return { by: "triage", execution: Execution, event: Source ?? "unknown", why };
  }
  return { by: "unknown", why: "nothing of the product put it here" };
}

/** Where a message belongs: the queue of alerts, or the workflow, with the event as its input. */
export type Destination =
  | { readonly to: "alertQueue" }
  | { readonly to: "workflow"; readonly event: string }
  | { readonly to: "nowhere"; readonly why: string };

const Event = z.object({ source: z.string() });

/**
 * Where a message is sent again. Only what came as an event goes on as one: the body of an alert may
 * look like a request by hand, and would then choose its own mode.
 */
export function destinationOf({ body }: DeadLetter, origin: Origin, busName: string): Destination {
  switch (origin.by) {
    case "alertQueue":
      return { to: "alertQueue" };
    case "triage":
      if (origin.event === "falco") return { to: "alertQueue" };
      return sourceOf(body) === origin.event ? { to: "workflow", event: body } : NO_EVENT;
    case "rule": {
      const source = sourceOf(body);
      if (source === null) return NO_EVENT;
      if (source === "aws.events") return MISSED_LOOK;
      // On the default bus anybody's rule may name this queue; only AWS puts events of `aws.` there.
      if (source.startsWith("aws.") || origin.rule.includes(`:rule/${busName}/`)) {
        return { to: "workflow", event: body };
      }
      return { to: "nowhere", why: `${origin.rule} is no rule of this stage` };
    }
    case "unknown":
      return { to: "nowhere", why: origin.why };
  }
}

/** The schedule of `reverify` is the only one that starts anything here. */
const MISSED_LOOK = {
  to: "nowhere",
  why: "open cases were not looked at again when it was time: the next start looks at all of them",
} as const;
const NO_EVENT = { to: "nowhere", why: "its body is no event" } as const;

/** The source that an event names, or null for what is none. */
function sourceOf(body: string): string | null {
  try {
    return Event.parse(JSON.parse(body)).source;
  } catch {
    return null;
  }
}

/** What Triage would read if the message were sent again: the same reader, the same trust. */
export function readingOf(
  { id, body, sentAt }: DeadLetter,
  destination: Destination,
  cluster: ClusterIdentity,
): Reading {
  switch (destination.to) {
    case "alertQueue": {
      const detail = { messageId: id, body };
      const named = { id, source: "falco", "detail-type": "Falco Alert", time: sentAt };
      return readEvent({ ...named, detail }, cluster);
    }
    case "workflow":
      return readText(destination.event, cluster);
    case "nowhere":
      return unreadable(destination.why);
  }
}
