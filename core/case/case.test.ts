import { describe, expect, test } from "vitest";
import { memoryStore } from "../../test/memory/evidence-store.ts";
import type { Mode } from "../alert/alert.ts";
import type { PodTarget } from "../target/target.ts";
import { caseOf, type Execution, openCase } from "./case.ts";
import { freeTarget } from "./markers.ts";

const TARGET: PodTarget = {
  cluster: "prod-eks-1",
  namespace: "payments",
  kind: "pod",
  name: "checkout-1",
  uid: null,
  containerId: null,
};

function execution(name: string): Execution {
  const arn = `arn:aws:states:us-east-1:111122223333:execution:contain:${name}`;
  return { arn, name, startedAt: "2026-11-22T17:55:01.123Z" };
}

function alertOf(name: string, mode: Mode = "containment", containerId: string | null = null) {
  return {
    alert: {
      source: "falco",
      id: `alert-of-${name}`,
      rule: "Terminal shell in container",
      severity: "low",
      detectedAt: "2026-11-22T17:55:00.000Z",
    } as const,
    target: { ...TARGET, containerId },
    mode,
    reason: "a test",
    execution: execution(name),
    event: { body: "exactly this" },
  };
}

describe("a case", () => {
  test("has the same ids however often its execution asks, sorted by time and fit for a label", () => {
    const { id, runId } = caseOf(execution("a"));

    expect(caseOf(execution("a"))).toEqual({ id, runId });
    expect(caseOf(execution("b")).id).not.toBe(id);
    expect(id).toMatch(/^c-20261122-[0-9a-f]{10}$/);
    expect(runId).toBe(`20261122T175501123Z-${id}`);
  });

  test("is opened once: of two hundred alerts one acts, and every other is kept with the case", async () => {
    const store = memoryStore();
    const names = Array.from({ length: 200 }, (_, index) => `execution-${index}`);

    const opened = await Promise.all(names.map((name) => openCase(alertOf(name), store)));

    const acting = opened.filter((each) => each.opened === "new");
    expect(acting).toHaveLength(1);
    expect(new Set(opened.map((each) => each.case.id))).toEqual(new Set([acting[0]?.case.id]));
    const joined = [...store.objects.keys()].filter((key) => key.includes("/alerts/"));
    expect(joined).toHaveLength(199);
  });

  test("stays with its execution when that runs the state again", async () => {
    const store = memoryStore();
    const first = await openCase(alertOf("a"), store);

    expect(first.again).toBe(false);
    expect(await openCase(alertOf("a"), store)).toEqual({ ...first, again: true });
  });

  test("of an audit takes no marker, so a containment beside it acts", async () => {
    const store = memoryStore();

    const audit = await openCase(alertOf("a", "audit"), store);
    const containment = await openCase(alertOf("b"), store);

    expect(audit.opened).toBe("new");
    expect(containment.opened).toBe("new");
  });

  test("does not swallow the alert about another container, which may be another pod's", async () => {
    const store = memoryStore();
    const first = await openCase(alertOf("a", "containment", "aaaaaaaaaaaa"), store);

    const successor = await openCase(alertOf("b", "containment", "bbbbbbbbbbbb"), store);
    const again = await openCase(alertOf("c", "containment", "bbbbbbbbbbbb"), store);

    expect(successor.opened).toBe("new");
    expect(again).toMatchObject({ opened: "joined", case: successor.case });
    await freeTarget({ ...TARGET, containerId: "bbbbbbbbbbbb" }, successor.case, store);
    const next = await openCase(alertOf("e", "containment", "bbbbbbbbbbbb"), store);
    expect(next.opened).toBe("new");
    expect(await openCase(alertOf("f", "containment", "aaaaaaaaaaaa"), store)).toMatchObject({
      ...{ opened: "joined", case: first.case },
    });
  });

  test("keeps the raw event as it came", async () => {
    const store = memoryStore();
    const { artefacts } = await openCase(alertOf("a"), store);

    const kept = await store.read(artefacts[0]?.key ?? "");

    expect(kept?.document).toMatchObject({ event: { body: "exactly this" } });
  });

  test("frees its target only if it holds it", async () => {
    const store = memoryStore();
    const { case: owner } = await openCase(alertOf("a"), store);

    await freeTarget(TARGET, caseOf(execution("b")), store);
    expect((await openCase(alertOf("c"), store)).opened).toBe("joined");

    await freeTarget(TARGET, owner, store);
    expect((await openCase(alertOf("d"), store)).opened).toBe("new");
  });
});
