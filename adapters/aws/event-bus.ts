import {
  EventBridgeClient,
  type EventBridgeClientConfig,
  PutEventsCommand,
} from "@aws-sdk/client-eventbridge";
import { TransientError } from "../../core/errors.ts";
import type { Announcements } from "../../core/evidence/record-run.ts";
import { translate } from "./errors.ts";
import type { Statement } from "./statement.ts";

/** What the product's own events carry as their source. */
export const EVENT_SOURCE = "eks-containment";

const COMPLETED = "Containment Completed";

/** The product's bus, for what it tells others. */
export function eventBus(name: string, config: EventBridgeClientConfig): Announcements {
  const events = new EventBridgeClient(config);
  return {
    async containmentCompleted(result) {
      try {
        const { Entries = [] } = await events.send(
          new PutEventsCommand({
            Entries: [
              {
                EventBusName: name,
                Source: EVENT_SOURCE,
                DetailType: COMPLETED,
                Detail: JSON.stringify(result),
              },
            ],
          }),
        );
        const refused = Entries.find(({ ErrorCode }) => ErrorCode !== undefined);
        if (refused) {
          throw new TransientError(
            "AwsUnavailable",
            `announce on bus ${name}: ${refused.ErrorCode}: ${refused.ErrorMessage}`,
          );
        }
      } catch (error) {
        throw error instanceof TransientError ? error : translate(error, `announce on bus ${name}`);
      }
    },
  };
}

/** What IAM must allow for these operations: that event and no request for another containment. */
export function announcementStatements(
  operations: readonly (keyof Announcements)[],
  { busArn }: { readonly busArn: string },
): readonly Statement[] {
  const statements: Readonly<Record<keyof Announcements, Statement>> = {
    containmentCompleted: {
      actions: ["events:PutEvents"],
      resources: [busArn],
      conditions: {
        StringEquals: { "events:source": EVENT_SOURCE, "events:detail-type": COMPLETED },
      },
    },
  };
  return operations.map((operation) => statements[operation]);
}
