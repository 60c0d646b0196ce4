import * as events from "aws-cdk-lib/aws-events";
import * as iam from "aws-cdk-lib/aws-iam";
import type * as sqs from "aws-cdk-lib/aws-sqs";
import type { Stack } from "sst/constructs";
import { EVENT_SOURCE } from "../adapters/aws/event-bus.ts";
import { MANUAL_SOURCE } from "../core/alert/manual.ts";

/** What the pipe's events carry as their source. */
export const FALCO_SOURCE = "falco";

/** ARNs of the roles and users that may put events of each source on the bus. */
interface Senders {
  readonly alerts: readonly string[];
  readonly requests: readonly string[];
  readonly announcements: readonly string[];
}

/**
 * Who may put what on the bus. An identity of the account that IAM lets put events anywhere needs no
 * grant of the bus, so the bus denies: an alert comes from the pipe, a request by hand from the
 * people of the settings, an announcement from the state that makes it, and nothing else comes at
 * all. No statement allows: identities of other accounts stay out.
 */
export function guardBus(stack: Stack, bus: events.IEventBus, senders: Senders): void {
  const deny = (statementId: string, condition: Record<string, Record<string, unknown>>) =>
    new events.CfnEventBusPolicy(stack, statementId, {
      eventBusName: bus.eventBusName,
      statementId,
      statement: {
        Sid: statementId, // EventBridge wants it to be the same
        Effect: "Deny",
        Principal: "*",
        Action: "events:PutEvents",
        Resource: bus.eventBusArn,
        Condition: condition,
      },
    });
  const only = (statementId: string, source: string, principals: readonly string[]) =>
    deny(statementId, {
      "ForAnyValue:StringEquals": { "events:source": source },
      // The ARN of a session's role, not of the session. Without principals: everybody.
      ...(principals.length > 0 && { ArnNotEquals: { "aws:PrincipalArn": principals } }),
    });

  only("AlertsComeFromThePipe", FALCO_SOURCE, senders.alerts);
  only("RequestsComeFromRequesters", MANUAL_SOURCE, senders.requests);
  only("AnnouncementsComeFromTheProduct", EVENT_SOURCE, senders.announcements);
  deny("NothingElseComes", {
    "ForAnyValue:StringNotEquals": { "events:source": [FALCO_SOURCE, MANUAL_SOURCE, EVENT_SOURCE] },
  });
}

export function arnsOf(roles: readonly (iam.IRole | undefined)[]): readonly string[] {
  return roles.flatMap((role) => role?.roleArn ?? []);
}

/**
 * Who may send into a queue. As for the bus: whom IAM lets send to every queue needs no grant of this
 * one, so all but these are denied. `services`: whether AWS services that the queue's policy admits
 * may go on to.
 */
export function guardQueue(
  queue: sqs.Queue,
  senders: readonly string[],
  services: "admitted" | "denied",
): void {
  queue.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: "OnlyTheseSend",
      effect: iam.Effect.DENY,
      principals: [new iam.AnyPrincipal()],
      actions: ["sqs:SendMessage"],
      resources: [queue.queueArn],
      conditions: {
        ...(senders.length > 0 && { ArnNotEquals: { "aws:PrincipalArn": senders } }),
        ...(services === "admitted" && { Bool: { "aws:PrincipalIsAWSService": "false" } }),
      },
    }),
  );
}
