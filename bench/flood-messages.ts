/** The messages of a flood, the same for the same seed. */
import { randomUUID } from "node:crypto";
import { type AlertTarget, terminalShellAlert } from "../local/falco.ts";

/** What must become of a message. */
export type Expectation = "alert" | "ignored" | "deadLetter";

export interface FloodMessage {
  readonly expected: Expectation;
  readonly body: string;
  /** Of the target that it is about; null for what names none. */
  readonly target: string | null;
}

/** One in twenty cannot be read, one in fifty is understood and must never act. */
const POISON = 20;
const REFUSED = 50;

/** What nobody can read as an alert. */
const POISONS: readonly ((body: string) => string)[] = [
  (body) => body.slice(0, body.length / 2),
  () => "hello",
  () => "[".repeat(1_000),
  (body) => body.replace(/"priority":"[^"]*"/, '"priority":"Bad"'),
  (body) => body.replace(/"time":"[^"]*"/, '"time":"yesterday"'),
];

/** What is an alert and no reason to act. */
const REFUSALS: readonly ((body: string) => string)[] = [
  (body) => body.replace(/"k8s.ns.name":"[^"]*"/, '"k8s.ns.name":null'),
  (body) => body.replace(/"rule":"[^"]*"/, '"rule":"Test rule"'),
  (body) => body.replace(/"container.id":"[^"]*"/, '"container.id":"host"'),
];

/**
 * Every target at least once, the others duplicates: half of them the very same message, half another
 * alert about the same target. In a random order.
 */
export async function floodMessages(
  targets: readonly AlertTarget[],
  count: number,
  seed: number,
): Promise<readonly FloodMessage[]> {
  const poison = Math.round(count / POISON);
  const refused = Math.round(count / REFUSED);
  const alerts = count - poison - refused;
  if (targets.length === 0 || alerts < targets.length) {
    throw new Error(`${count} messages are too few for ${targets.length} targets`);
  }
  const random = generator(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const alert = async (target: AlertTarget): Promise<FloodMessage> => ({
    ...{ expected: "alert", target: nameOf(target) },
    body: await terminalShellAlert(target, BigInt(Date.now()) * 1_000_000n, randomUUID()),
  });
  const broken = async (expected: Expectation, breaks: readonly ((body: string) => string)[]) => ({
    ...{ expected, target: null },
    body: pick(breaks)((await alert(pick(targets))).body),
  });

  const messages: FloodMessage[] = await Promise.all(targets.map(alert));
  while (messages.length < alerts) {
    const known = pick(messages);
    const again = targets.find((target) => nameOf(target) === known.target);
    messages.push(random() < 0.5 && again ? await alert(again) : known);
  }
  for (let index = 0; index < poison; index += 1) {
    messages.push(await broken("deadLetter", POISONS));
  }
  for (let index = 0; index < refused; index += 1) {
    messages.push(await broken("ignored", REFUSALS));
  }
  return shuffled(messages, random);
}

export function nameOf({ namespace, pod }: { namespace: string; pod: string }): string {
  return `${namespace}/${pod}`;
}

function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  return items
    .map((item) => ({ item, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

/** Numbers from 0 to 1, always the same for a seed: the multiplier of Numerical Recipes' generator. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
