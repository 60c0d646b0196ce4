import * as z from "zod";

const State = z.object({
  Next: z.string().optional(),
  Default: z.string().optional(),
  Choices: z.array(z.looseObject({ Next: z.string().optional() })).default([]),
  Catch: z.array(z.looseObject({ Next: z.string() })).default([]),
});
const Definition = z.object({ States: z.record(z.string(), State) });

/** Where a redrive goes on. */
export interface Resumption {
  /** The state of the outermost level at which it resumes. */
  readonly at: string;
  /** The states in it that had not ended: of branches and maps only these run again. */
  readonly within: readonly string[];
  /** Every state that may come after it, nearest first. */
  readonly after: readonly string[];
}

/**
 * What a redrive runs again: Step Functions resumes at the state that had not ended, in branches at
 * those of them that had not, and goes on from there as at first.
 *
 * @param definition that the execution began with; a redrive keeps it
 * @param visits of states, in the order in which they were entered
 * @returns null when no state had been entered
 */
export function resumptionOf(
  definition: unknown,
  visits: readonly { readonly name: string; readonly exitedAt: Date | null }[],
): Resumption | null {
  const { States } = Definition.parse(definition);
  const index = visits.findLastIndex(({ name, exitedAt }) => name in States && exitedAt === null);
  const at = visits[index]?.name;
  if (at === undefined) return null;
  const inside = visits.slice(index + 1).filter(({ name }) => !(name in States));
  const last = new Map(inside.map(({ name, exitedAt }) => [name, exitedAt]));
  const within = [...last].filter(([, exitedAt]) => exitedAt === null).map(([name]) => name);
  const after = new Set<string>();
  const next = nextOf(States[at]);
  for (let name = next.shift(); name !== undefined; name = next.shift()) {
    if (after.has(name) || name === at) continue;
    after.add(name);
    next.push(...nextOf(States[name]));
  }
  return { at, within, after: [...after] };
}

function nextOf(state: z.output<typeof State> | undefined): string[] {
  if (!state) return [];
  const { Next, Default, Choices, Catch } = state;
  return [
    Next,
    ...Choices.map((choice) => choice.Next),
    Default,
    ...Catch.map((each) => each.Next),
  ].filter((name) => name !== undefined);
}
