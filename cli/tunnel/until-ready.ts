import { type WaitOptions, waitFor } from "../../local/wait.ts";

/**
 * Asks until the answer is yes. `broken` resolves with a sentence when a process ends that the answer
 * depends on: that sentence is then the error.
 */
export async function untilReady(
  { what, limitMs, signal }: WaitOptions & { readonly signal: AbortSignal },
  ask: () => Promise<boolean>,
  broken: Promise<string>,
): Promise<void> {
  const settled = new AbortController();
  const waiting = { what, limitMs, signal: AbortSignal.any([signal, settled.signal]) };
  const ready = waitFor(waiting, async () => ((await ask()) ? true : undefined));
  try {
    const outcome = await Promise.race([ready, broken]);
    if (typeof outcome === "string") throw new Error(outcome);
  } finally {
    ready.catch(() => {}); // of no interest any more where the process ended first
    settled.abort();
  }
}
