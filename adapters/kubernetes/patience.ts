import { TransientError } from "../../core/errors.ts";
import type { ApiAnswer, Transport } from "./transport.ts";

/** Milliseconds that a state needs for the rest of its work once it was let through. */
const RESERVE_MS = 2_000;
/** Milliseconds before each further try of a read that failed without a word of when to come back. */
const READ_AGAIN_AFTER_MS = [100, 400];
/** What took longer to fail is the workflow's to try again: that costs nothing while it waits. */
const FAILED_AT_ONCE_MS = 1_000;

/** What an overloaded API server answers; with a Retry-After it is worth asking again. */
const BUSY: readonly number[] = [429, 503];
/** Other requests are held back no longer: one answer must not silence a function for an hour. */
const QUIET_AT_MOST_MS = 30_000;
/** What a read is told for a moment: a token or a cache that is not known yet, or no more. */
const MOMENTARY: readonly number[] = [401, 409, 410];

/**
 * Asks again where that is likely to help, as long as the caller has the time: after what the API
 * server asked for where it is busy (Retry-After, which all requests wait for), and shortly after a
 * read that failed at once, so that one lost answer does not lose a source of evidence. Where the
 * caller has not that much time left, the workflow waits instead, at no cost.
 *
 * Errors: `KubernetesThrottled` (transient) with what the server asked for.
 *
 * @param msLeft milliseconds until the caller is stopped
 * @param now milliseconds since 1970
 */
export function patientTransport(
  transport: Transport,
  {
    msLeft,
    wait,
    now,
  }: {
    readonly msLeft: () => number;
    readonly wait: (ms: number) => Promise<unknown>;
    readonly now: () => number;
  },
): Transport {
  const timeFor = (ms: number) => ms <= msLeft() - RESERVE_MS;
  /** Until then the API server is left alone, by the invocations that follow too. */
  let quietUntil = 0;

  /** A read, tried again where it failed at once. */
  const read: Transport = async (request) => {
    for (const pauseMs of READ_AGAIN_AFTER_MS) {
      const startedWith = msLeft();
      const tried = await transport(request).then(
        (answer) => ({ answer, mayHeal: isMomentary(answer) }),
        (error: unknown) => {
          const mayRepeat = !request.each || request.forget !== undefined;
          return { error, mayHeal: error instanceof TransientError && mayRepeat };
        },
      );
      const atOnce = startedWith - msLeft() < FAILED_AT_ONCE_MS;
      if (!tried.mayHeal || !atOnce || !timeFor(pauseMs)) {
        if ("error" in tried) throw tried.error;
        return tried.answer;
      }
      await wait(pauseMs);
      request.forget?.();
    }
    return transport(request);
  };

  return async (request) => {
    const what = `${request.method} ${request.path}`;
    const waitFor = async (ms: number, why: string) => {
      if (!timeFor(ms)) {
        const left = Math.max(0, msLeft() - RESERVE_MS);
        throw new TransientError(
          "KubernetesThrottled",
          `${what}: ${why}, try again in ${ms} ms; the function has ${left} ms to wait in, so the workflow waits`,
        );
      }
      await wait(ms);
    };
    for (;;) {
      const quietMs = quietUntil - now();
      if (quietMs > 0) await waitFor(quietMs, "the API server is busy");
      const answer = await (request.method === "GET" ? read : transport)(request);
      const { status, retryAfterMs } = answer;
      if (!BUSY.includes(status) || retryAfterMs === undefined) return answer;
      if (request.takes?.(answer)) return answer;
      quietUntil = Math.max(quietUntil, now() + Math.min(retryAfterMs, QUIET_AT_MOST_MS));
      await waitFor(retryAfterMs, String(status));
    }
  };
}

function isMomentary({ status, retryAfterMs }: ApiAnswer): boolean {
  return (status >= 500 && !retryAfterMs) || MOMENTARY.includes(status);
}

/** Milliseconds of a Retry-After, which holds seconds or a time; undefined without one. */
export function retryAfterMsOf(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
