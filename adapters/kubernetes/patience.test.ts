import { describe, expect, test } from "vitest";
import { TransientError } from "../../core/errors.ts";
import { patientTransport, retryAfterMsOf } from "./patience.ts";
import type { ApiAnswer, ApiRequest } from "./transport.ts";

const READ: ApiRequest = { method: "GET", path: "/api/v1/nodes/n" };
const GOOD: ApiAnswer = { status: 200, body: {} };

/** An API server that answers these in turn, each after `takesMs`, and a clock that knows no more. */
function prepare(
  { leftMs, takesMs = 0 }: { leftMs: number; takesMs?: number },
  ...answers: readonly (ApiAnswer | Error)[]
) {
  const queue = [...answers];
  const waited: number[] = [];
  let left = leftMs;
  const answer = async () => {
    left -= takesMs;
    const next = queue.shift() ?? GOOD;
    if (next instanceof Error) throw next;
    return next;
  };
  const transport = patientTransport(answer, {
    msLeft: () => left,
    now: () => leftMs - left,
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

  test("is left alone by every request until then", async () => {
    const busy = { status: 429, body: {}, retryAfterMs: 3_000 };
    const { transport, waited } = prepare({ leftMs: 5_500 }, busy);

    const [first, second] = await Promise.allSettled([transport(READ), transport(READ)]);
    expect([first.status, second.status]).toEqual(["fulfilled", "fulfilled"]);
    const { transport: another } = prepare({ leftMs: 4_000 }, busy);
    await expect(another(READ)).rejects.toThrow("try again in 3000 ms");
    await expect(another(READ)).rejects.toThrow("the API server is busy, try again in 3000 ms");
    expect(waited).toEqual([3_000]);
  });

  test("is not meant by an answer that the request takes, whatever it says of coming back", async () => {
    const refusal = { status: 429, body: {}, retryAfterMs: 10_000 };
    const { transport, waited } = prepare({ leftMs: 60_000 }, refusal);

    const takes = ({ status }: ApiAnswer) => status === 429;
    expect(await transport({ ...READ, method: "POST", takes })).toBe(refusal);
    expect(waited).toEqual([]);
  });

  test("silences nobody for an hour with one answer", async () => {
    const busy = { status: 503, body: {}, retryAfterMs: 3_600_000 };
    let time = 0;
    const answers = [busy];
    const transport = patientTransport(async () => answers.shift() ?? GOOD, {
      ...{ msLeft: () => 10_000, wait: async () => {}, now: () => time },
    });

    await expect(transport(READ)).rejects.toThrow("try again in 3600000 ms");
    await expect(transport(READ)).rejects.toThrow("the API server is busy");
    time = 31_000;
    expect(await transport(READ)).toEqual(GOOD);
  });

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
    const busy = { status: 429, body: {} };
    const { transport, waited } = prepare({ leftMs: 10_000 }, busy);

    expect(await transport(READ)).toEqual(busy);
    expect(waited).toEqual([]);
  });
});

describe("a read that fails at once", () => {
  const broken = { status: 503, body: {} };
  const lost = new TransientError("KubernetesUnavailable", "socket hang up");

  test.each([
    ["with a status", broken],
    ["with one that the API server gives for a moment", { status: 410, body: {} }],
    ["without an answer", lost],
  ])("%s is tried twice more", async (_, failure) => {
    const healed = prepare({ leftMs: 10_000 }, failure, failure);
    expect(await healed.transport(READ)).toEqual(GOOD);
    expect(healed.waited).toEqual([100, 400]);
  });

  test("ends as the last try did", async () => {
    const answers = prepare({ leftMs: 10_000 }, lost, lost, broken, GOOD);
    expect(await answers.transport(READ)).toEqual(broken);
    const nothing = prepare({ leftMs: 10_000 }, broken, broken, lost, GOOD);
    await expect(nothing.transport(READ)).rejects.toBe(lost);
  });

  test("is left to the workflow where the time is short, or where it took long to fail", async () => {
    const short = prepare({ leftMs: 2_050 }, broken);
    expect(await short.transport(READ)).toEqual(broken);
    const slow = prepare({ leftMs: 10_000, takesMs: 5_000 }, lost);
    await expect(slow.transport(READ)).rejects.toBe(lost);
    expect([...short.waited, ...slow.waited]).toEqual([]);
  });

  test("is tried again where what was shown of a list can be forgotten", async () => {
    const shown: number[] = [1];
    const { transport } = prepare({ leftMs: 10_000 }, lost);

    const list = { ...READ, each: () => {}, forget: () => void shown.splice(0) };
    expect(await transport(list)).toEqual(GOOD);
    expect(shown).toEqual([]);
  });

  test("is not tried again where items of it were shown, nor where the caller may not look", async () => {
    const list = prepare({ leftMs: 10_000 }, lost);
    await expect(list.transport({ ...READ, each: () => {} })).rejects.toBe(lost);
    const denied = { status: 403, body: {} };
    expect(await prepare({ leftMs: 10_000 }, denied).transport(READ)).toEqual(denied);
  });
});

test("a write that fails is the caller's to try again: it may have been done", async () => {
  const broken = { status: 500, body: {} };
  const { transport, waited } = prepare({ leftMs: 10_000 }, broken);

  expect(await transport({ ...READ, method: "PATCH" })).toEqual(broken);
  expect(waited).toEqual([]);
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
