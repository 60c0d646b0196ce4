import { describe, expect, test } from "vitest";
import { patientTransport, retryAfterMsOf } from "./patience.ts";
import type { ApiAnswer, ApiRequest } from "./transport.ts";

const READ: ApiRequest = { method: "GET", path: "/api/v1/nodes/n" };
const GOOD: ApiAnswer = { status: 200, body: {} };

/** An API server that answers these in turn, and a clock that only waiting moves. */
function prepare({ leftMs }: { leftMs: number }, ...answers: readonly ApiAnswer[]) {
  const queue = [...answers];
  const waited: number[] = [];
  let left = leftMs;
  const transport = patientTransport(async () => queue.shift() ?? GOOD, {
    msLeft: () => left,
    wait: async (ms) => {
      waited.push(ms);
      left -= ms;
    },
  });
  return { transport, waited };
}

describe("an API server that is busy", () => {
  test.each([429, 503])(
    "and answers %i with Retry-After is asked again after that time",
    async (status) => {
      const busy = { status, body: {}, retryAfterMs: 1_000 };
      const { transport, waited } = prepare({ leftMs: 10_000 }, busy, busy);

      expect(await transport(READ)).toEqual(GOOD);
      expect(waited).toEqual([1_000, 1_000]);
    },
  );

  test("is left to the workflow where it asks for more time than the function has", async () => {
    const busy = { status: 429, body: {}, retryAfterMs: 3_000 };
    const { transport, waited } = prepare({ leftMs: 10_000 }, busy, busy, busy);

    await expect(transport(READ)).rejects.toMatchObject({
      name: "KubernetesThrottled",
      message: expect.stringContaining("GET /api/v1/nodes/n: 429, try again in 3000 ms"),
    });
    expect(waited).toEqual([3_000, 3_000]);
  });

  test("and says nothing of when to come back is not waited for", async () => {
    const busy = { status: 503, body: {} };
    const { transport, waited } = prepare({ leftMs: 10_000 }, busy);

    expect(await transport(READ)).toEqual(busy);
    expect(waited).toEqual([]);
  });
});

test.each([
  ["5", 5_000],
  ["0", 0],
  ["Sun, 22 Nov 2026 17:55:10 GMT", 10_000],
  ["Sun, 22 Nov 2026 17:54:00 GMT", 0],
  ["soon", undefined],
  [undefined, undefined],
])("Retry-After %s is %s ms", (header, ms) => {
  expect(retryAfterMsOf(header, Date.parse("2026-11-22T17:55:00.000Z"))).toBe(ms);
});
