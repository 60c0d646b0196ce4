/** Sends a flood into a stage and follows every message to its end. */
import { paginateListExecutions, SFNClient } from "@aws-sdk/client-sfn";
import { SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { KubeConfig } from "@kubernetes/client-node";
import * as z from "zod";
import { deadLetterQueue, type HeldLetter } from "../adapters/aws/dead-letters.ts";
import type { Deployment } from "../adapters/aws/deployment.ts";
import { executions } from "../adapters/aws/executions.ts";
import { originOf } from "../core/alert/dead-letter.ts";
import type { AwsClientConfig } from "../local/stage.ts";
import { waitFor } from "../local/wait.ts";
import { type Account, accountOf, type Ended, type Letter, type Sent } from "./flood-account.ts";
import { type FloodMessage, floodMessages } from "./flood-messages.ts";
import { createTargets } from "./flood-targets.ts";
import { type Summary, summarise } from "./statistics.ts";

export interface FloodStage {
  readonly aws: AwsClientConfig;
  readonly kubernetes: KubeConfig;
  readonly deployment: Deployment;
}

export interface FloodOptions {
  /** Begins the names of the namespaces; unique on the stage. */
  readonly name: string;
  readonly messages: number;
  readonly targets: number;
  readonly seed: number;
  readonly limitMs: number;
  readonly progress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface FloodReport extends Account {
  readonly seed: number;
  readonly targets: number;
  /** From the first message sent to the last one sent, and to the last execution's end. */
  readonly sendingMs: number;
  readonly totalMs: number;
  /** Of the messages that acted: from the sending to the first state, then by state. */
  readonly wherePerTarget: Readonly<Record<string, Summary>>;
}

/** What an execution was started with: the message, as the pipe puts it on the bus. */
const Input = z.object({ detail: z.object({ messageId: z.string() }) });

const Output = z.object({ outcome: z.string(), quarantinedAt: z.string().nullish() });

/** SQS takes ten messages and 1 MiB in one call. */
const BATCH = 10;

/** Histories that are read for where the time went: each is a call or two. */
const HISTORIES = 60;

const SAY_EVERY_MS = 10_000;

/** Without a further end for so long the dead-letter queue is asked. */
const QUIET_MS = 60_000;

export async function flood(stage: FloodStage, options: FloodOptions): Promise<FloodReport> {
  const { name, messages: count, seed, progress } = options;
  progress(`making ${options.targets} pods`);
  const targets = await createTargets(stage.kubernetes, name, options.targets);
  const messages = await floodMessages(targets, count, seed);
  const startedAt = Date.now();
  const sent = await send(stage, messages);
  const sendingMs = Date.now() - startedAt;
  progress(`${count} messages sent in ${seconds(sendingMs)}`);

  const { ended, letters } = await follow(stage, sent, startedAt, options);
  const totalMs = Date.now() - startedAt;
  return {
    ...accountOf(sent, ended, letters),
    ...{ seed, targets: targets.length, sendingMs, totalMs },
    wherePerTarget: await whereTheTimeGoes(stage, sent, ended),
  };
}

async function send(
  { aws, deployment }: FloodStage,
  messages: readonly FloodMessage[],
): Promise<readonly Sent[]> {
  const sqs = new SQSClient({ ...aws, useQueueUrlAsEndpoint: false });
  const sent: Sent[] = [];
  for (let from = 0; from < messages.length; from += BATCH) {
    const batch = messages.slice(from, from + BATCH);
    const sentAt = Date.now();
    const { Successful = [], Failed = [] } = await sqs.send(
      new SendMessageBatchCommand({
        QueueUrl: deployment.alertQueueUrl,
        Entries: batch.map(({ body }, index) => ({ Id: String(index), MessageBody: body })),
      }),
    );
    if (Failed.length > 0) throw new Error(`SQS refused ${Failed.length}: ${Failed[0]?.Message}`);
    for (const { Id, MessageId = "" } of Successful) {
      const message = batch[Number(Id)];
      if (message) sent.push({ ...message, messageId: MessageId, sentAt });
    }
  }
  sqs.destroy();
  return sent;
}

/** Waits until every message has ended, or the limit is over: then what is known is reported. */
async function follow(
  stage: FloodStage,
  sent: readonly Sent[],
  startedAt: number,
  { limitMs, progress, signal }: FloodOptions,
): Promise<{ readonly ended: readonly Ended[]; readonly letters: readonly Letter[] }> {
  const ofWorkflow = executions(stage.deployment.stateMachineArn, stage.aws);
  const ours = new Set(sent.map(({ messageId }) => messageId));
  const known = new Map<string, Ended | null>();
  let letters: readonly Letter[] = [];
  let saidAt = 0;
  let changedAt = startedAt;
  let before = 0;

  const look = async () => {
    for (const arn of await finished(stage, startedAt)) {
      if (known.has(arn)) continue;
      const { input, output } = await ofWorkflow.describe(arn);
      const messageId = Input.safeParse(input).data?.detail.messageId;
      if (messageId === undefined || !ours.has(messageId)) {
        known.set(arn, null); // somebody else's
        continue;
      }
      const { outcome = null, quarantinedAt = null } = Output.safeParse(output).data ?? {};
      known.set(arn, { messageId, executionArn: arn, outcome, quarantinedAt });
    }
    const ended = [...known.values()].flatMap((each) => each ?? []);
    const done = new Set(ended.map(({ messageId }) => messageId)).size;
    if (done !== before) changedAt = Date.now();
    before = done;
    const over = Date.now() - startedAt > limitMs;
    // What SQS gave up starts no execution; it takes five receives, so it is looked for rarely.
    const quiet = Date.now() - changedAt > QUIET_MS;
    if (done === sent.length || over || quiet) {
      changedAt = Date.now();
      letters = await lettersOf(stage);
      const moved = letters.filter(({ messageId }) => ours.has(messageId)).length;
      // Somebody else may hold some of them just now: then they are looked for again.
      const given = new Set(letters.map(({ executionArn }) => executionArn));
      const missing = ended.some(
        ({ outcome, executionArn }) => outcome === "deadLettered" && !given.has(executionArn),
      );
      if (over || (done + moved >= sent.length && !missing)) return ended;
    }
    if (Date.now() - saidAt > SAY_EVERY_MS) {
      saidAt = Date.now();
      const tookMs = saidAt - startedAt;
      const left =
        done === 0 ? "" : `, about ${seconds((tookMs / done) * (sent.length - done))} left`;
      progress(`  ${done}/${sent.length} messages ended after ${seconds(tookMs)}${left}`);
    }
    return undefined;
  };
  // The limit ends the looking, not the wait: what is lost is to be told.
  const what = "the end of the flood";
  const ended = await waitFor({ what, limitMs: 2 * limitMs, signal }, look);
  return { ended, letters };
}

/** ARNs of the executions since then that run no more. */
async function finished(
  { aws, deployment }: FloodStage,
  startedAt: number,
): Promise<readonly string[]> {
  const { stateMachineArn } = deployment;
  const client = new SFNClient(aws);
  const arns: string[] = [];
  for await (const { executions: page = [] } of paginateListExecutions(
    { client, pageSize: 1_000 },
    { stateMachineArn },
  )) {
    for (const { executionArn, status, startDate } of page) {
      if ((startDate?.getTime() ?? 0) < startedAt - 1_000) continue;
      if (executionArn !== undefined && status !== "RUNNING") arns.push(executionArn);
    }
  }
  client.destroy();
  return arns;
}

/** What lies in the dead-letter queue; it stays there. */
async function lettersOf({ aws, deployment }: FloodStage): Promise<readonly Letter[]> {
  const queue = deadLetterQueue(deployment.deadLetterQueueUrl, aws);
  const letters: Letter[] = [];
  const met: HeldLetter[] = [];
  for await (const held of queue.walk()) {
    met.push(...held);
    for (const { letter } of held) {
      const origin = originOf(letter);
      letters.push({
        ...{ messageId: letter.id, why: origin.why },
        executionArn: origin.by === "triage" ? origin.execution : null,
      });
    }
  }
  await queue.putBack(met);
  return letters;
}

async function whereTheTimeGoes(
  stage: FloodStage,
  sent: readonly Sent[],
  ended: readonly Ended[],
): Promise<Readonly<Record<string, Summary>>> {
  const ofWorkflow = executions(stage.deployment.stateMachineArn, stage.aws);
  const sentAt = new Map(sent.map((message) => [message.messageId, message.sentAt]));
  const spent = new Map<string, number[]>();
  const add = (name: string, ms: number) => spent.set(name, [...(spent.get(name) ?? []), ms]);
  const acted = ended.filter(({ quarantinedAt }) => quarantinedAt !== null);
  const step = Math.max(1, Math.floor(acted.length / HISTORIES));
  for (const { executionArn, messageId } of acted.filter((_, index) => index % step === 0)) {
    const visits = await ofWorkflow.visits(executionArn);
    const first = visits[0]?.enteredAt.getTime();
    if (first !== undefined)
      add("queue, pipe, bus, rule", first - (sentAt.get(messageId) ?? first));
    for (const { name, enteredAt, exitedAt } of visits) {
      if (exitedAt !== null) add(name, exitedAt.getTime() - enteredAt.getTime());
    }
  }
  return Object.fromEntries([...spent].map(([name, values]) => [name, summarise(values)]));
}

function seconds(ms: number): string {
  return ms < 90_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`;
}
