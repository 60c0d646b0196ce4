import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { killedEverywhere } from "../../test/crash-points.ts";
import { ENGAGED, UNBRAKED } from "../../test/memory/brakes.ts";
import { type MemoryStore, memoryStore } from "../../test/memory/evidence-store.ts";
import type { Mode } from "../alert/alert.ts";
import { caseOf } from "../case/case.ts";
import type { Target } from "../target/target.ts";
import { admitCase } from "./admit-case.ts";
import { type Begun, begunPrefix, circuitBreaker, roomIn } from "./circuit-breaker.ts";

const START = Date.parse("2026-11-22T17:55:00.000Z");
const LIMIT = { targets: 5, minutes: 10 };

function ports(store: MemoryStore, { at = START, limit = LIMIT } = {}) {
  // S3's clock, which drops what is less than a second.
  store.storedAt = new Date(at).toISOString().replace(/\.\d+Z$/, ".000Z");
  return { store, circuitBreaker: limit, stage: "prod", now: () => new Date(at) };
}

function alertOn(pod: string, change: { source?: "falco" | "manual"; mode?: Mode } = {}) {
  const target: Target = {
    ...{ cluster: "prod-eks-1", namespace: "payments", kind: "pod", name: pod },
    ...{ uid: "uid-1", containerId: null },
  };
  const name = `execution-of-${pod}`;
  return {
    alert: {
      source: change.source ?? "falco",
      id: pod,
      rule: "a rule",
      severity: "high",
      detectedAt: new Date(START).toISOString(),
    },
    execution: {
      ...{ arn: `arn:aws:states:us-east-1:111122223333:execution:contain:${name}`, name },
      startedAt: new Date(START).toISOString(),
    },
    ...{ target, mode: change.mode ?? "containment", reason: "a test", event: {} },
    ...UNBRAKED,
  } as const;
}

const podsNamed = (count: number, prefix = "pod") =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
const begun = (store: MemoryStore) =>
  [...store.objects]
    .filter(([key]) => key.startsWith("brakes/"))
    .map(([, text]): Begun => JSON.parse(text));

describe("the circuit breaker", () => {
  test("lets exactly as many new targets through as the settings say, of a hundred at once", async () => {
    const store = memoryStore();

    const admitted = await Promise.all(
      podsNamed(100).map((pod) => admitCase(alertOn(pod), ports(store))),
    );

    const acting = admitted.filter(({ mode }) => mode === "containment");
    expect(acting).toHaveLength(5);
    expect(begun(store).map(({ case: { id } }) => id)).toEqual(
      expect.arrayContaining(acting.map(({ case: { id } }) => id)),
    );
    expect(begun(store)).toHaveLength(5);
  });

  test("tells why it holds and how a person contains all the same", async () => {
    const store = memoryStore();
    for (const pod of podsNamed(5)) await admitCase(alertOn(pod), ports(store));

    const { mode, brakes } = await admitCase(alertOn("one-more"), ports(store));

    expect(mode).toBe("audit");
    expect(brakes).toEqual([
      {
        brake: "circuitBreaker",
        withheld: "every write of the quarantine",
        why: expect.stringContaining(
          "5 new targets were contained in prod-eks-1 within 10 minutes",
        ),
        lift: expect.stringContaining(
          'npx containment contain payments/one-more --uid uid-1 --reason "..." --stage prod',
        ),
      },
    ]);
  });

  test("does not limit a request by hand, and does not count it", async () => {
    const store = memoryStore();
    for (const pod of podsNamed(5)) await admitCase(alertOn(pod), ports(store));

    const byHand = await admitCase(alertOn("by-hand", { source: "manual" }), ports(store));

    expect(byHand).toMatchObject({ mode: "containment", brakes: [] });
    expect(begun(store)).toHaveLength(5);
  });

  test("counts no alert that joins a case, no audit, and nothing while the kill switch holds", async () => {
    const store = memoryStore();
    const again = alertOn("pod-0");
    const joins = { ...again, execution: { ...again.execution, arn: `${again.execution.arn}-2` } };
    await admitCase(again, ports(store));

    const joined = await admitCase(joins, ports(store));
    const audited = await admitCase(alertOn("pod-1", { mode: "audit" }), ports(store));
    const held = await admitCase({ ...alertOn("pod-2"), killSwitch: ENGAGED }, ports(store));

    expect(joined.opened).toBe("joined");
    expect(audited).toMatchObject({ mode: "audit", brakes: [] });
    expect(held).toMatchObject({ mode: "audit", brakes: [{ brake: "killSwitch" }] });
    expect(begun(store)).toHaveLength(1);
  });

  test("reads no number but for a case that asks again, and counts that once", async () => {
    const store = memoryStore();
    const read: string[] = [];
    const watched: MemoryStore = {
      ...store,
      read<T>(key: string) {
        read.push(key);
        return store.read<T>(key);
      },
    };
    const admit = (pod: string) => admitCase(alertOn(pod), { ...ports(store), store: watched });
    for (const pod of podsNamed(3)) await admit(pod);

    expect(read.filter((key) => key.startsWith("brakes/"))).toEqual([]);
    expect((await admit("pod-0")).mode).toBe("containment");
    expect(read.filter((key) => key.startsWith("brakes/"))).toHaveLength(3);
    expect(begun(store)).toHaveLength(3);
  });

  test("lets a cluster go on when the time is over, and another cluster at once", async () => {
    const store = memoryStore();
    for (const pod of podsNamed(5)) await admitCase(alertOn(pod), ports(store));
    const elsewhere = alertOn("pod-9");
    const other = { ...elsewhere, target: { ...elsewhere.target, cluster: "prod-eks-2" } };
    const later = START + 10 * 60_000 + 1_000;

    const room = async (at: number) =>
      roomIn(await store.list(begunPrefix("prod-eks-1"), 5), LIMIT, new Date(at));

    expect(await room(START)).toBe(0);
    expect((await admitCase(other, ports(store))).mode).toBe("containment");
    expect((await admitCase(alertOn("pod-6"), ports(store, { at: later }))).mode).toBe(
      "containment",
    );
    expect(await room(later)).toBe(4);
  });

  test("killed before or after any call, a case is counted once and goes on", async () => {
    const { execution, target } = alertOn("pod-0");
    const begin = { case: caseOf(execution), execution, target };

    const calls = await killedEverywhere(
      () => {
        const { circuitBreaker: limit, ...rest } = ports(memoryStore());
        return { ports: { ...rest, limit, again: true } };
      },
      (world) => circuitBreaker(begin, world),
      async (world, held, killed) => {
        expect(held, killed).toBeNull();
        expect(begun(world.ports.store), killed).toEqual([{ number: 1, ...begin }]);
      },
    );

    expect(calls).toEqual(["store.list", "store.putOnce"]);
  });

  test("holds its limit in every stretch of time, whoever asks when and how often", async () => {
    const asking = fc.array(
      fc.record({
        afterMs: fc.integer({ min: 0, max: 400_000 }),
        atOnce: fc.integer({ min: 1, max: 7 }),
      }),
      { minLength: 1, maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(asking, fc.integer({ min: 1, max: 4 }), async (rounds, targets) => {
        const store = memoryStore();
        const limit = { targets, minutes: 10 };
        const actedAt: number[] = [];
        let at = START;
        for (const [round, { afterMs, atOnce }] of rounds.entries()) {
          at += afterMs;
          const admitted = await Promise.all(
            podsNamed(atOnce, `round-${round}`).map((pod) =>
              admitCase(alertOn(pod), ports(store, { at, limit })),
            ),
          );
          for (const { mode } of admitted) if (mode === "containment") actedAt.push(at);
        }
        for (const begin of actedAt) {
          const within = actedAt.filter((time) => time >= begin && time < begin + 600_000);
          expect(within.length).toBeLessThanOrEqual(targets);
        }
        // And it holds none back that is not one too many.
        const last = begun(store).length;
        expect(last).toBe(actedAt.length);
        expect(last).toBeGreaterThanOrEqual(Math.min(targets, rounds[0]?.atOnce ?? 0));
      }),
    );
  });
});
