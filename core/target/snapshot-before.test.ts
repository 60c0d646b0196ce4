import { describe, expect, test } from "vitest";
import { within } from "../../adapters/within.ts";
import { aPod, memoryCluster } from "../../test/memory/cluster.ts";
import { memoryStore } from "../../test/memory/evidence-store.ts";
import { VPC } from "../../test/memory/quarantine-input.ts";
import type { Pod } from "../kubernetes.ts";
import { snapshotBefore } from "./snapshot-before.ts";
import type { Target } from "./target.ts";

const CASE = { id: "c-1", runId: "run-1" };
const common = { cluster: "prod-eks-1", namespace: "payments", uid: null };
const POD: Target = { ...common, kind: "pod", name: "checkout-1", containerId: null };
const NAMESPACE: Target = { ...common, kind: "namespace", name: "payments" };
const SERVICES = [
  {
    metadata: { name: "checkout", namespace: "payments" },
    spec: { selector: { app: "checkout" } },
  },
  { metadata: { name: "other", namespace: "payments" }, spec: { selector: { app: "other" } } },
  { metadata: { name: "by-hand", namespace: "payments" }, spec: {} },
];

interface Before {
  readonly pods: readonly Pod[];
  readonly services: {
    readonly items: readonly { readonly metadata: { readonly name: string } }[];
  };
  readonly podPages: readonly unknown[];
  readonly missing: readonly { readonly source: string }[];
}

/** A run whose bound is so many milliseconds away. */
function prepare(target: Target, waitMs: number, pods: readonly Pod[] = [aPod()]) {
  const kubernetes = memoryCluster({ pods: [...pods], services: SERVICES });
  const store = memoryStore();
  const evidenceUntil = new Date(Date.now() + waitMs).toISOString();
  const input = { case: CASE, target, network: VPC, evidenceUntil };
  const act = (slow: Partial<typeof kubernetes> = {}) =>
    snapshotBefore(input, {
      ...{ store, within, now: () => new Date() },
      kubernetes: { ...kubernetes, ...slow },
    });
  const before = async () => (await store.read<Before>("runs/run-1/before.json"))?.document;
  return { kubernetes, store, act, before };
}

const never = () => new Promise<never>(() => {});

describe("a target that is read in time", () => {
  test("is written down with the Services that select it", async () => {
    const { act, before } = prepare(POD, 5_000);

    expect((await act()).missing).toEqual([]);
    expect((await before())?.services.items.map(({ metadata }) => metadata.name)).toEqual([
      "checkout",
    ]);
  });
});

test.each([
  [POD, "pod payments/checkout-1 does not exist"],
  [NAMESPACE, "namespace payments does not exist"],
])("a target that the API server does not know is missing", async (target, reason) => {
  const { act, before } = prepare(target, 5_000, []);

  const { missing } = await act({ namespace: async () => null });

  expect(missing).toMatchObject([
    { state: "SnapshotBefore", error: "NotFound", cause: `${target.kind}: ${reason}` },
  ]);
  expect((await before())?.missing).toEqual([{ source: target.kind, error: "NotFound", reason }]);
});

describe("an API server that is too slow", () => {
  test("costs what it did not tell in time, which is listed, and nothing else", async () => {
    const { act, before } = prepare(POD, 700);

    const { missing } = await act({ policies: never, endpointSlices: never });

    expect(missing).toMatchObject([{ state: "SnapshotBefore", error: "OutOfTime" }]);
    expect((await before())?.missing.map(({ source }) => source).toSorted()).toEqual([
      "endpointSlices",
      "policies",
    ]);
    expect((await before())?.pods).toHaveLength(1);
  });

  test("costs the pages that came too late, and none is written afterwards", async () => {
    const { act, before, store } = prepare(NAMESPACE, 700);
    const late: (() => void)[] = [];
    const written = new Promise<void>((resolve) => late.push(resolve));
    async function* podPages<Kept>(_: string, keep: (pod: Pod) => Kept) {
      yield [keep(aPod())];
      await written; // the second page comes when the state has long ended
      yield [keep(aPod({ metadata: { name: "checkout-2" } }))];
    }

    const { missing } = await act({ podPages });
    const keys = [...store.objects.keys()];
    for (const resolve of late) resolve();
    await new Promise(setImmediate);

    expect(missing[0]?.cause).toContain("podPages");
    expect((await before())?.missing.map(({ source }) => source)).toEqual(["podPages"]);
    expect(keys).toEqual(["runs/run-1/before-pods-1.json", "runs/run-1/before.json"]);
    expect([...store.objects.keys()]).toEqual(keys);
  });

  test("is not asked at all once the time is up", async () => {
    const { act, before } = prepare(POD, -1);

    await act({ policies: never, namespace: never, pod: never });

    expect((await before())?.missing.length).toBeGreaterThanOrEqual(3);
  });
});

test("a read that fails is worth another attempt while there is time", async () => {
  const { act, kubernetes, before } = prepare(POD, 5_000);
  kubernetes.state.unreadable = ["services"];

  await expect(act()).rejects.toMatchObject({ name: "KubernetesUnavailable" });
  expect(await before()).toBeUndefined();
});

test("a read that fails when there is none is missing", async () => {
  const { act, kubernetes } = prepare(POD, 2_000);
  kubernetes.state.unreadable = ["services"];

  expect((await act()).missing).toMatchObject([
    { state: "SnapshotBefore", error: "KubernetesUnavailable" },
  ]);
});
