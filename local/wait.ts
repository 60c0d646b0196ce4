/** Bounded waiting for a state that nobody announces. */
import { setTimeout as delay } from "node:timers/promises";

export interface WaitOptions {
  /** Completes "Waited 30 s for ...". */
  readonly what: string;
  readonly limitMs: number;
  /** Between two questions. @default 100 */
  readonly pollMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Asks until the answer is not undefined. An error of the question ends the waiting. */
export async function waitFor<T>(
  options: WaitOptions,
  ask: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = performance.now() + options.limitMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) {
      throw new Error(`Waited ${options.limitMs / 1000} s for ${options.what}`);
    }
    await delay(options.pollMs ?? 100, undefined, { signal: options.signal });
  }
}
