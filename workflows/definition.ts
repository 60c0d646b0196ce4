/** The workflows of this folder, as the tests read them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";

const Retrier = z.object({ ErrorEquals: z.array(z.string()), MaxAttempts: z.number() });
const Catcher = z.object({
  ErrorEquals: z.array(z.string()),
  Next: z.string(),
  Output: z.string(),
});
const State = z.object({
  Type: z.string(),
  Comment: z.string(),
  TimeoutSeconds: z.union([z.number(), z.string()]).optional(),
  Seconds: z.unknown().optional(),
  Resource: z.string().optional(),
  Arguments: z.unknown().optional(),
  Output: z.unknown().optional(),
  Retry: z.array(Retrier.loose()).default([]),
  Catch: z.array(Catcher).default([]),
  get Branches() {
    return z.array(Processor).default([]);
  },
  get ItemProcessor() {
    return Processor.optional();
  },
});
const Processor = z.object({ States: z.record(z.string(), State) });
const Machine = Processor.extend({ QueryLanguage: z.string(), TimeoutSeconds: z.number() });
export type WorkflowState = z.output<typeof State>;

export const INVOKE = "arn:aws:states:::lambda:invoke";

export interface Workflow {
  readonly name: string;
  /** The definition as it is written, with its `${...}`. */
  readonly text: string;
  readonly machine: z.output<typeof Machine>;
  /** Every state by name, those in branches and maps included. */
  readonly states: ReadonlyMap<string, WorkflowState>;
  /** The states that do something: functions and calls of AWS. */
  readonly tasks: readonly (readonly [name: string, state: WorkflowState])[];
  /** The states whose functions it invokes. */
  readonly invokes: readonly string[];
}

const SUFFIX = ".asl.json";

/** Those of every stage; `forensic` has those of a copy in another account, which a stage may do without. */
export function workflows(folder = ""): readonly Workflow[] {
  return readdirSync(join(import.meta.dirname, folder))
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => workflowNamed(join(folder, file.slice(0, -SUFFIX.length))));
}

export function workflowNamed(name: string): Workflow {
  const text = readFileSync(join(import.meta.dirname, `${name}${SUFFIX}`), "utf8");
  const machine = Machine.parse(JSON.parse(text));
  const states = new Map(statesIn(machine));
  return {
    ...{ name, text, machine, states },
    tasks: [...states].filter(([, { Type }]) => Type === "Task"),
    invokes: [...text.matchAll(/"\$\{(\w+)Function\}"/g)].map(([, state = ""]) => state),
  };
}

/** The states of a machine, a branch or a map, and of those in them. */
export function* statesIn({
  States,
}: z.output<typeof Processor>): Generator<[string, WorkflowState]> {
  for (const [name, state] of Object.entries(States)) {
    yield [name, state];
    for (const branch of state.Branches) yield* statesIn(branch);
    if (state.ItemProcessor) yield* statesIn(state.ItemProcessor);
  }
}
