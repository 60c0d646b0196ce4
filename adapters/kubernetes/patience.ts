import { TransientError } from "../../core/errors.ts";
import type { Transport } from "./transport.ts";

/** Milliseconds that a state needs for the rest of its work once it was let through. */
const RESERVE_MS = 2_000;

/** What an overloaded API server answers; with a Retry-After it is worth asking again. */
const BUSY: readonly number[] = [429, 503];

/**
 * Waits as long as an API server that is busy asks to (Retry-After), and asks again. Where the caller
 * has not that much time left, the workflow waits instead, at no cost.
 *
 * Errors: `KubernetesThrottled` (transient) with what the server asked for.
 *
 * @param msLeft milliseconds until the caller is stopped
 */
export function patientTransport(
  transport: Transport,
  {
    msLeft,
    wait,
  }: { readonly msLeft: () => number; readonly wait: (ms: number) => Promise<unknown> },
): Transport {
  return async (request) => {
    for (;;) {
      const answer = await transport(request);
      const { status, retryAfterMs } = answer;
      if (!BUSY.includes(status) || retryAfterMs === undefined) return answer;
      const left = msLeft() - RESERVE_MS;
      if (retryAfterMs > left) {
        const asked = `${request.method} ${request.path}: ${status}, try again in ${retryAfterMs} ms`;
        throw new TransientError(
          "KubernetesThrottled",
          `${asked}; the function has ${Math.max(0, left)} ms to wait in, so the workflow waits`,
        );
      }
      await wait(retryAfterMs);
    }
  };
}

/** Milliseconds of a Retry-After, which holds seconds or a time; undefined without one. */
export function retryAfterMsOf(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
