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
/** One for each snapshot of which the forensic account is to have a copy. */
export const COPY_REQUESTED = "Forensic Copy Requested";
/** The forensic account may copy it now. */
export const SNAPSHOT_SHARED = "Snapshot Shared";

/** What one PutEvents takes. */
const ENTRIES_PER_CALL = 10;

/** The product's bus, for what it tells others. */
export function eventBus(name: string, config: EventBridgeClientConfig): Announcements {
  const events = new EventBridgeClient(config);
  const announce = async (DetailType: string, details: readonly object[]): Promise<void> => {
    try {
      const { Entries = [] } = await events.send(
        new PutEventsCommand({
          Entries: details.map((detail) => ({
            ...{ EventBusName: name, Source: EVENT_SOURCE, DetailType },
            Detail: JSON.stringify(detail),
          })),
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
  };
  return {
    containmentCompleted: (result) => announce(COMPLETED, [result]),
    async forensicCopiesRequested(requests) {
      for (let at = 0; at < requests.length; at += ENTRIES_PER_CALL) {
        await announce(COPY_REQUESTED, requests.slice(at, at + ENTRIES_PER_CALL));
      }
    },
  };
}

/** What IAM must allow for these operations: those events and no request for another containment. */
export function announcementStatements(
  operations: readonly (keyof Announcements)[],
  { busArn }: { readonly busArn: string },
): readonly Statement[] {
  const detailTypes: Readonly<Record<keyof Announcements, string>> = {
    containmentCompleted: COMPLETED,
    forensicCopiesRequested: COPY_REQUESTED,
  };
  return operations.map((operation) => ({
    actions: ["events:PutEvents"],
    resources: [busArn],
    conditions: {
      StringEquals: { "events:source": EVENT_SOURCE, "events:detail-type": detailTypes[operation] },
    },
  }));
}
