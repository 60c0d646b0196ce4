import { deadLetterQueue, type HeldLetter, HOLD_SECONDS } from "../../adapters/aws/dead-letters.ts";
import { executions } from "../../adapters/aws/executions.ts";
import {
  type Destination,
  destinationOf,
  type Origin,
  originOf,
  readingOf,
} from "../../core/alert/dead-letter.ts";
import { printableJson, printableLine } from "../../core/report/printable.ts";
import { confirmed } from "../confirmation.ts";
import { deployed } from "../stage.ts";
import { type Answer, answerTo, clusterOf, describeAnswer } from "./triage.ts";

interface Options {
  readonly stage: string;
  readonly json?: boolean;
}

/** One message, and what is known of it. */
interface Explained {
  readonly held: HeldLetter;
  readonly origin: Origin;
  readonly destination: Destination;
  readonly answer: Answer;
}

/** Characters of a body that are shown to a person. */
const BODY_LENGTH = 4_000;

const ORIGINS: Readonly<Record<Origin["by"], string>> = {
  alertQueue: "alert queue",
  triage: "Triage",
  rule: "rule",
  unknown: "unknown",
};

/** `containment dlq list`: one line for each message, oldest first. All stay where they are. */
export async function list({ stage, json }: Options): Promise<void> {
  const { queue, explainOne } = await open(stage);
  const hidden = await queue.heldByOthers();
  const found: Explained[] = [];
  try {
    for await (const held of queue.walk()) found.push(...held.map(explainOne));
  } finally {
    await queue.putBack(found.map(({ held }) => held));
  }
  const now = Date.now();
  const oldestFirst = found.toSorted((a, b) => sentAt(a) - sentAt(b));
  if (json) {
    console.log(printableJson(oldestFirst.map((each) => summary(each, now))));
    return;
  }
  if (found.length === 0) console.log(`No dead letters in stage ${stage}.`);
  for (const each of oldestFirst) {
    const { held, origin } = each;
    const by = ORIGINS[origin.by].padEnd(11);
    console.log(
      `${held.letter.id}  ${age(now - sentAt(each)).padStart(7)}  ${by}  ${printableLine(origin.why, 160)}`,
    );
  }
  if (hidden > 0) {
    console.log(
      `${hidden} more are held by somebody else just now, for at most ${HOLD_SECONDS} s: look again.`,
    );
  }
}

/** `containment dlq explain`: why one message is there, and what would be done with it now. */
export async function explain(id: string, { stage, json }: Options): Promise<void> {
  const { queue, explainOne } = await open(stage);
  const held = await find(queue, id, stage);
  await queue.putBack([held]);
  const explained = explainOne(held);
  const { origin, destination, answer } = explained;
  const now = Date.now();
  if (json) {
    console.log(printableJson({ ...summary(explained, now), body: held.letter.body, answer }));
    return;
  }
  console.log(`${id}, ${age(now - sentAt(explained))} old`);
  console.log(`  from     ${ORIGINS[origin.by]}`);
  console.log(`  because  ${printableLine(origin.why)}`);
  if (origin.by === "triage") console.log(`  see      ${printableLine(origin.execution)}`);
  if (origin.by === "rule") console.log(`  rule     ${printableLine(origin.rule)}`);
  console.log(`  resend   ${toward(destination)}`);
  console.log(`If it were sent again: ${describeAnswer(answer)}`);
  console.log(`Its body, ${Buffer.byteLength(held.letter.body)} bytes:`);
  console.log(printableLine(held.letter.body, BODY_LENGTH));
}

/**
 * `containment dlq resend`: each message goes to where it belongs and leaves the dead-letter queue
 * once it is there. Whoever dies between the two sends it twice when it is tried again, which does no
 * harm: the second alert joins the case of the first. Exit code 1 when a message was left.
 */
export async function resend(
  id: string | undefined,
  options: Options & { readonly all?: boolean; readonly force?: boolean; readonly yes?: boolean },
): Promise<void> {
  const { stage, json, all, force = false, yes } = options;
  if ((id === undefined) === !all) throw new Error("name one message, or say --all");
  const { queue, explainOne, send } = await open(stage);
  const say = json ? console.error : console.log;
  const what = all ? "every message of the dead-letter queue" : `message ${id}`;
  if (!yes && !(await confirmed(`Send ${what} of stage ${stage} again?`))) {
    throw new Error("nothing was sent");
  }
  const told: object[] = [];
  const left: HeldLetter[] = [];
  const handle = async (held: HeldLetter) => {
    const explained = explainOne(held);
    const { letter } = held;
    const refusal = refusalOf(explained, force) ?? (await failureOf(() => send(explained)));
    if (refusal === null) await queue.delete(held);
    else left.push(held);
    told.push({
      id: letter.id,
      sentTo: refusal === null ? explained.destination.to : null,
      refusal,
    });
    const line = refusal === null ? `sent to ${toward(explained.destination)}` : `left: ${refusal}`;
    say(`${letter.id}  ${printableLine(line)}`);
  };
  try {
    if (id !== undefined) await handle(await find(queue, id, stage));
    else for await (const batch of queue.walk()) for (const held of batch) await handle(held);
  } finally {
    // Only now: shown before, the walk would meet it again.
    await queue.putBack(left);
  }
  if (json) console.log(printableJson(told));
  else say(`${told.length - left.length} sent, ${left.length} left.`);
  process.exitCode = left.length === 0 ? 0 : 1;
}

async function open(stage: string) {
  const { aws, deployment } = await deployed(stage);
  const queue = deadLetterQueue(deployment.deadLetterQueueUrl, aws);
  const workflow = executions(deployment.stateMachineArn, aws);
  return {
    queue,
    explainOne(held: HeldLetter): Explained {
      const { letter } = held;
      const origin = originOf(letter);
      const destination = destinationOf(letter, origin, deployment.busName);
      const reading = readingOf(letter, destination, clusterOf(stage));
      return { held, origin, destination, answer: answerTo(reading, stage) };
    },
    async send({ held, destination }: Explained): Promise<void> {
      const { letter } = held;
      if (destination.to === "alertQueue") {
        await queue.sendTo(deployment.alertQueueUrl, letter.body);
      } else if (destination.to === "workflow") {
        // Named after the message: sent again after a crash, it starts nothing a second time.
        await workflow.startOnce(`dead-letter-${letter.id}`, destination.event);
      }
    },
  };
}

type Queue = ReturnType<typeof deadLetterQueue>;

/** Looks for a message of which somebody else may hold some just now, as another `dlq` does. */
const LOOKS = 5;

/** The message of that id; what else was met on the way is shown to others again. */
async function find(queue: Queue, id: string, stage: string): Promise<HeldLetter> {
  for (let look = 1; ; look += 1) {
    const found = await lookFor(queue, id);
    if (found) return found;
    const hidden = await queue.heldByOthers();
    if (hidden === 0) throw new Error(`stage ${stage} has no dead letter ${id}`);
    if (look === LOOKS) {
      throw new Error(
        `dead letter ${id} is not to be seen in stage ${stage}; ${hidden} are held by somebody else, ` +
          `for at most ${HOLD_SECONDS} s: try again then`,
      );
    }
  }
}

async function lookFor(queue: Queue, id: string): Promise<HeldLetter | undefined> {
  const others: HeldLetter[] = [];
  try {
    for await (const batch of queue.walk()) {
      const wanted = batch.find(({ letter }) => letter.id === id);
      others.push(...batch.filter((each) => each !== wanted));
      if (wanted) return wanted;
    }
    return undefined;
  } finally {
    await queue.putBack(others);
  }
}

/** Why a message is not sent again, or null. */
function refusalOf({ destination, answer }: Explained, force: boolean): string | null {
  if (destination.to === "nowhere") return `it belongs nowhere: ${destination.why}`;
  if (answer.deadLetter && !force) return `it would come back: ${answer.reason} (--force sends it)`;
  return null;
}

async function failureOf(act: () => Promise<void>): Promise<string | null> {
  try {
    await act();
    return null;
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
}

function summary({ held, origin, destination, answer }: Explained, now: number) {
  const { id, sentAt, body } = held.letter;
  return {
    ...{ id, sentAt, ageSeconds: Math.round((now - Date.parse(sentAt)) / 1_000) },
    ...{ origin, resendTo: destination.to, readable: !answer.deadLetter },
    bytes: Buffer.byteLength(body),
  };
}

function toward(destination: Destination): string {
  switch (destination.to) {
    case "alertQueue":
      return "the queue of alerts";
    case "workflow":
      return "the workflow, as the event that it was";
    case "nowhere":
      return `nowhere: ${printableLine(destination.why)}`;
  }
}

function sentAt({ held }: Explained): number {
  return Date.parse(held.letter.sentAt);
}

/** `3 d 4 h`, `5 h 12 min`, `7 min`, `20 s`. */
function age(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  const hours = Math.floor(minutes / 60);
  if (hours >= 24) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.max(0, Math.floor(ms / 1_000))} s`;
}
