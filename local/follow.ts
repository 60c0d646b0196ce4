/**
 * Watching one execution from outside, as a person does in the console: which states it visits, for
 * how long, and how it ends.
 */
import type { ExecutionReport, Executions, StateVisit } from "../adapters/aws/executions.ts";
import { waitFor } from "./wait.ts";

const startLimitMs = 30_000;
const endLimitMs = 150_000;
/** Every question costs the emulator time that it takes from the executions. */
const pollMs = 250;

/** A visit that ended. */
export interface StateTime {
  readonly name: string;
  readonly ms: number;
}

/** The execution that an alert started, found by text that only this alert contains. */
export async function executionOf(marker: string, executions: Executions): Promise<string> {
  const seen = new Set<string>();
  const waiting = { what: `an execution for ${marker}`, limitMs: startLimitMs, pollMs };
  return waitFor(waiting, async () => {
    for (const arn of await executions.list()) {
      if (seen.has(arn)) continue;
      seen.add(arn);
      const { input } = await executions.describe(arn);
      if (JSON.stringify(input).includes(marker)) return arn;
    }
    return undefined;
  });
}

/**
 * Waits for the end, telling each state as it is left if somebody wants to hear of it.
 *
 * @throws where it did not end in time or could not be asked for: with the states that it went through.
 */
export async function followExecution(
  arn: string,
  executions: Executions,
  onState?: (state: StateTime) => void,
): Promise<ExecutionReport> {
  let told = 0;
  const tell = async (listener: (state: StateTime) => void) => {
    const left = stateTimes(await executions.visits(arn));
    for (const state of left.slice(told)) listener(state);
    told = left.length;
  };
  try {
    return await waitFor({ what: `the end of ${arn}`, limitMs: endLimitMs, pollMs }, async () => {
      const report = await executions.describe(arn);
      if (onState) await tell(onState);
      return report.status === "RUNNING" ? undefined : report;
    });
  } catch (cause) {
    const visits = await executions.visits(arn).catch(() => []);
    const names = visits.map(({ name }) => name).join(", ");
    throw new Error(`${arn} was followed through ${names || "no state"}`, { cause });
  }
}

/** How long each visit took; a state that failed has no end and is left out. */
export function stateTimes(visits: readonly StateVisit[]): readonly StateTime[] {
  return visits.flatMap(({ name, enteredAt, exitedAt }) =>
    exitedAt === null ? [] : [{ name, ms: exitedAt.getTime() - enteredAt.getTime() }],
  );
}
