import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
  type SQSClientConfig,
} from "@aws-sdk/client-sqs";
import type { DeadLetter } from "../../core/alert/dead-letter.ts";

/** A message that is held: hidden from others until it is put back or the time is over. */
export interface HeldLetter {
  readonly letter: DeadLetter;
  readonly receipt: string;
}

/** How long a message stays hidden when whoever holds it dies. */
export const HOLD_SECONDS = 120;

/** What SQS takes in one call. */
const BATCH = 10;

/** A walk ends when so many looks in a row met only what it has seen. */
const LOOKS_WITHOUT_NEWS = 10;

/** Seconds that a look waits: a long poll asks every server of the queue, a short one only some. */
const WAIT_SECONDS = 2;

/** The dead-letter queue, read by a person with their own rights. */
export function deadLetterQueue(QueueUrl: string, config: SQSClientConfig) {
  // The SDK would go to the host in the queue's URL, past an endpoint that the operator names.
  const sqs = new SQSClient({ ...config, useQueueUrlAsEndpoint: false });
  return {
    /** How many somebody else holds just now: they cannot be seen. */
    async heldByOthers(): Promise<number> {
      const name = "ApproximateNumberOfMessagesNotVisible";
      const { Attributes } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [name] }),
      );
      return Number(Attributes?.[name] ?? 0);
    },

    /**
     * Every message, each once, in the batches that SQS gives. What was met stays hidden for the
     * hold, so a queue that takes longer to walk meets its first messages again, among the others.
     */
    async *walk(): AsyncGenerator<readonly HeldLetter[]> {
      const seen = new Set<string>();
      let nothingNew = 0;
      while (nothingNew < LOOKS_WITHOUT_NEWS) {
        const { Messages = [] } = await sqs.send(
          new ReceiveMessageCommand({
            ...{ QueueUrl, MaxNumberOfMessages: BATCH, WaitTimeSeconds: WAIT_SECONDS },
            VisibilityTimeout: HOLD_SECONDS,
            MessageAttributeNames: ["All"],
            MessageSystemAttributeNames: ["All"],
          }),
        );
        const held = Messages.map(heldFrom).filter(({ letter }) => !seen.has(letter.id));
        if (Messages.length === 0) return;
        nothingNew = held.length === 0 ? nothingNew + 1 : 0;
        if (held.length === 0) continue;
        for (const { letter } of held) seen.add(letter.id);
        yield held;
      }
    },

    /** Shows messages to everybody again. */
    async putBack(held: readonly HeldLetter[]): Promise<void> {
      for (let from = 0; from < held.length; from += BATCH) {
        const Entries = held.slice(from, from + BATCH).map(({ receipt }, index) => ({
          ...{ Id: String(index), ReceiptHandle: receipt, VisibilityTimeout: 0 },
        }));
        // One that cannot be shown now (its hold is over) is shown already.
        await sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }));
      }
    },

    async delete({ receipt }: HeldLetter): Promise<void> {
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: receipt }));
    },

    /** Sends a body into the queue of alerts, as Falcosidekick does. */
    async sendTo(alertQueueUrl: string, body: string): Promise<void> {
      await sqs.send(new SendMessageCommand({ QueueUrl: alertQueueUrl, MessageBody: body }));
    },
  };
}

function heldFrom({ MessageId, ReceiptHandle, Body, ...message }: Message): HeldLetter {
  const { Attributes = {}, MessageAttributes = {} } = message;
  return {
    receipt: ReceiptHandle ?? "",
    letter: {
      id: MessageId ?? "",
      body: Body ?? "",
      sentAt: new Date(Number(Attributes.SentTimestamp ?? 0)).toISOString(),
      attributes: Object.fromEntries(
        Object.entries(MessageAttributes).map(([name, { StringValue = "" }]) => [
          name,
          StringValue,
        ]),
      ),
      movedFrom: Attributes.DeadLetterQueueSourceArn ?? null,
    },
  };
}
