import { describe, expect, test } from "vitest";
import { killedEverywhere } from "../../test/crash-points.ts";
import { ENGAGED, PROTECTED_LABELS, RELEASED, UNBRAKED } from "../../test/memory/brakes.ts";
import { aPod, type MemoryCluster, memoryCluster } from "../../test/memory/cluster.ts";
import { type MemoryStore, memoryStore } from "../../test/memory/evidence-store.ts";
import { memoryInstances } from "../../test/memory/instances.ts";
import { CILIUM, CILIUM_CLUSTER, SETTINGS } from "../../test/memory/quarantine-input.ts";
import { bucketFolder } from "../../test/memory/run-folder.ts";
import type { Mode } from "../alert/alert.ts";
import type { Clusters } from "../cluster/authenticate.ts";
import { TransientError } from "../errors.ts";
import { openCaseKey } from "../evidence/keys.ts";
import type { Drain, DrainPlan } from "../evidence/schemas/drain.ts";
import { verifyRun } from "../evidence/verify.ts";
import type { ObjectMeta, Pod } from "../kubernetes.ts";
import { applyPolicy } from "../quarantine/apply-policy.ts";
import { CASE_LABEL } from "../quarantine/labels.ts";
import type { Target } from "../target/target.ts";
import { drainNode } from "./drain-node.ts";
import { preserveNode } from "./preserve-node.ts";
import { recordDrain } from "./record-drain.ts";

const CASE = { id: "c-20261122-0123456789", runId: "20261122T175501123Z-c-20261122-0123456789" };
const TARGET: Target = {
  ...{ kind: "pod", cluster: "prod-eks-1", namespace: "payments", name: "checkout-1" },
  ...{ uid: null, containerId: null },
};
const EXECUTION = {
  arn: "arn:aws:states:us-east-1:111122223333:execution:drain:a",
  name: "a",
  startedAt: "2026-11-22T18:30:00.000Z",
};
const DRAIN = "runs/20261122T183000000Z-c-20261122-0123456789";
const owned = (kind: string) => ({
  ownerReferences: [{ kind, name: "owner", uid: "uid-of-owner", controller: true }],
});

function aNeighbour(name: string, metadata: Partial<ObjectMeta> = owned("ReplicaSet")): Pod {
  return aPod({ metadata: { name, uid: `uid-of-${name}`, ...metadata } });
}

/** A contained pod on a node that its run has cordoned, with these pods around it. */
async function contained(neighbours: readonly Pod[], target = TARGET, mode: Mode = "containment") {
  const kubernetes = memoryCluster({
    ...CILIUM_CLUSTER,
    pods: [aPod({ metadata: owned("ReplicaSet") }), ...neighbours],
    nodes: [{ metadata: { name: "node-1", uid: "uid-of-node-1" }, spec: {} }],
  });
  const store = memoryStore();
  let minutes = 0;
  const now = () => new Date(Date.parse(EXECUTION.startedAt) + 60_000 * minutes);
  const alert = { detectedAt: EXECUTION.startedAt, severity: "high" } as const;
  const execution = { ...EXECUTION, startedAt: "2026-11-22T17:55:01.000Z" };
  const input = { case: CASE, execution, target, mode, network: CILIUM, ...UNBRAKED };
  await applyPolicy(
    { ...input, alert },
    { kubernetes, store, settings: SETTINGS, protectedLabels: PROTECTED_LABELS, now },
  );
  await preserveNode(
    { ...input, uid: target.kind === "pod" ? "uid-1" : "uid-of-payments", attempt: 0 },
    {
      ...{ kubernetes, store, now, instances: memoryInstances({}) },
      settings: { cordon: true, protect: true },
    },
  );
  kubernetes.state.writes.length = 0;
  const access = {
    ...{ name: "prod-eks-1", endpoint: "https://x", certificateAuthority: "Y2E=" },
    ipFamily: "ipv4",
  } as const;
  const clusters = { describe: async () => access };
  const { look } = drainOf(kubernetes, store, clusters, now);
  const pass = (more: number) => {
    minutes += more;
  };
  return { kubernetes, store, look, pass, clusters, now };
}

function drainOf(
  kubernetes: MemoryCluster,
  store: MemoryStore,
  clusters: Clusters,
  now: () => Date,
) {
  const request = { case: CASE, reason: "the node goes to forensics", killSwitch: RELEASED };
  return {
    look: (since: string | null = null, change = {}) =>
      drainNode(
        { ...request, ...change, execution: EXECUTION, since, cluster: "prod-eks-1" },
        { clusters, connect: () => kubernetes, store, now },
      ),
  };
}

const kept = <T>(store: MemoryStore, name: string): T =>
  JSON.parse(store.objects.get(`${DRAIN}/${name}`) ?? "null");

describe("a drain that was asked for", () => {
  test("evicts what a controller starts elsewhere, and is done once it has left", async () => {
    const { kubernetes, store, look } = await contained([aNeighbour("cart")]);

    const first = await look();
    const second = await look(first.since);

    expect(kubernetes.state.writes).toEqual(["evict Pod cart"]);
    expect([first.done, second.done]).toEqual([false, true]);
    expect(kept<Drain>(store, "drain.json")).toMatchObject({
      verdict: "drained",
      pods: [{ name: "cart", outcome: "left", reason: null }],
    });
  });

  test.each([
    ["the contained pod", {}, "uid-1", /kept for forensics/],
    [
      "a pod of another case",
      { ...owned("ReplicaSet"), labels: { [CASE_LABEL]: "c-2" } },
      "",
      /case c-2/,
    ],
    ["a DaemonSet's pod", owned("DaemonSet"), "", /DaemonSet owner would start it here again/],
    [
      "a mirror pod",
      { ...owned("Node"), annotations: { "kubernetes.io/config.mirror": "x" } },
      "",
      /from a file/,
    ],
    ["a pod without a controller", { ownerReferences: [] }, "", /no controller/],
    [
      "a pod that ends",
      { ...owned("Job"), deletionTimestamp: "2026-11-22T18:00:00Z" },
      "",
      /ending/,
    ],
  ])("leaves %s where it is, and says why", async (_, metadata, uid, reason) => {
    const { kubernetes, store, look } = await contained(
      uid === "" ? [aNeighbour("neighbour", metadata)] : [],
    );

    expect((await look()).done).toBe(true);

    expect(kubernetes.state.writes).toEqual([]);
    const { stays } = kept<DrainPlan>(store, "drain-plan.json");
    const wanted = uid || "uid-of-neighbour";
    expect(stays.find((pod) => pod.uid === wanted)?.reason).toMatch(reason);
  });

  test.each([
    { kind: "pod", namespace: "payments", name: "cart", containerId: null },
    { kind: "namespace", namespace: "payments", name: "payments" },
  ] as const)("leaves the target of a $kind's open case, whatever is on it yet", async (open) => {
    const { kubernetes, store, look } = await contained([aNeighbour("cart")]);
    const target: Target = { ...open, cluster: "prod-eks-1", uid: null };
    await store.putOnce(openCaseKey(target, "5c0ab5e4f1d3"), {});

    await look();

    expect(kubernetes.state.writes).toEqual([]);
  });

  test("leaves every pod of a contained namespace", async () => {
    const namespace: Target = {
      ...{ kind: "namespace", cluster: "prod-eks-1", namespace: "payments" },
      ...{ name: "payments", uid: null },
    };
    const elsewhere = aNeighbour("cart", { ...owned("ReplicaSet"), namespace: "shop" });
    const { kubernetes, look } = await contained([aNeighbour("db"), elsewhere], namespace);

    await look();

    expect(kubernetes.state.writes).toEqual(["evict Pod cart"]);
  });

  test("spares a pod whose case was opened after the plan was made", async () => {
    const { kubernetes, store, look } = await contained([aNeighbour("cart"), aNeighbour("db")]);
    kubernetes.state.budgets = { db: "one of two must stay" };
    const { since } = await look();
    kubernetes.state.budgets = {};
    await store.putOnce(openCaseKey({ ...TARGET, name: "db" }), {});

    expect((await look(since)).done).toBe(true);

    expect(kubernetes.state.writes).toEqual(["evict Pod cart"]);
    expect(kept<Drain>(store, "drain.json").pods[1]).toMatchObject({ outcome: "stays" });
  });

  test("evicts the others where one cannot be evicted for a moment, and that one at the next look", async () => {
    const { kubernetes, look } = await contained([aNeighbour("cart"), aNeighbour("db")]);
    const error = new TransientError("KubernetesUnavailable", "no answer");
    kubernetes.state.failNextWrite = { write: "evict Pod cart", error };

    const { since, done } = await look();
    await look(since);

    expect(done).toBe(false);
    expect(kubernetes.state.writes).toEqual(["evict Pod db", "evict Pod cart"]);
  });

  test("fails where no eviction gets through, to be tried again", async () => {
    const { kubernetes, look } = await contained([aNeighbour("cart")]);
    const error = new TransientError("KubernetesThrottled", "too many requests");
    kubernetes.state.failNextWrite = { write: "evict Pod cart", error };

    await expect(look()).rejects.toBe(error);
  });

  test("asks a budget again for ten minutes, and then says what it refused", async () => {
    const { kubernetes, store, look, pass } = await contained([aNeighbour("cart")]);
    kubernetes.state.budgets = { cart: "it would violate the pod's disruption budget" };
    const { since } = await look();
    pass(9);
    expect((await look(since)).done).toBe(false);
    pass(1);

    expect((await look(since)).done).toBe(true);

    expect(kept<Drain>(store, "drain.json")).toMatchObject({
      verdict: "partial",
      pods: [{ outcome: "refused", reason: "it would violate the pod's disruption budget" }],
    });
  });

  test.each([
    ["is no longer cordoned", false, "uid-of-node-1", /would come back/],
    ["has another one's name", true, "another", /another one has its name/],
  ])("touches no node that %s", async (_, unschedulable, uid, reason) => {
    const { kubernetes, store, look } = await contained([aNeighbour("cart")]);
    kubernetes.state.nodes = [{ metadata: { name: "node-1", uid }, spec: { unschedulable } }];

    await look();

    expect(kubernetes.state.writes).toEqual([]);
    const { verdict, notDrained } = kept<Drain>(store, "drain.json");
    expect([verdict, notDrained[0]?.reason]).toEqual(["partial", expect.stringMatching(reason)]);
  });

  test("is an audit while the kill switch is engaged, whatever the switch says by the next try", async () => {
    const { kubernetes, store, look } = await contained([aNeighbour("cart")]);
    const killSwitch = { ...ENGAGED, value: "anything but released" };

    expect((await look(null, { killSwitch })).done).toBe(true);
    expect((await look(null)).done).toBe(true);

    expect(kubernetes.state.writes).toEqual([]);
    expect(kept<DrainPlan>(store, "drain-plan.json")).toMatchObject({
      mode: "audit",
      brakes: [{ brake: "killSwitch", withheld: "every eviction" }],
    });
    expect(kept<Drain>(store, "drain.json")).toMatchObject({
      verdict: "audited",
      brakes: [{ brake: "killSwitch" }],
      pods: [{ name: "cart", outcome: "withheld" }],
    });
  });

  test.each([
    ["engaged", ENGAGED, /was "engaged"/],
    ["not to be read", { ...ENGAGED, value: null }, /could not be read/],
  ])("ends where it is once the kill switch is %s", async (_, killSwitch, why) => {
    const { kubernetes, store, look } = await contained([aNeighbour("cart"), aNeighbour("db")]);
    kubernetes.state.budgets = { db: "one of two must stay" };
    const { since } = await look();
    kubernetes.state.budgets = {};

    expect((await look(since, { killSwitch })).done).toBe(true);

    expect(kubernetes.state.writes).toEqual(["evict Pod cart"]);
    expect(kept<Drain>(store, "drain.json")).toMatchObject({
      verdict: "partial",
      brakes: [{ brake: "killSwitch", withheld: "the evictions that were still to come" }],
      pods: [
        { name: "cart", outcome: "left" },
        { name: "db", outcome: "withheld", reason: expect.stringMatching(why) },
      ],
    });
  });

  test("is whole where the kill switch finds nothing more to hold back", async () => {
    const { store, look } = await contained([aNeighbour("cart")]);
    const { since } = await look();

    await look(since, { killSwitch: ENGAGED });

    expect(kept<Drain>(store, "drain.json")).toMatchObject({ verdict: "drained", brakes: [] });
  });

  test.each([
    ["that is not of the case", { case: { ...CASE, id: "c-20261122-9999999999" } }],
    ["that does not exist", { case: { ...CASE, runId: "none" } }],
  ])("of a run %s is refused", async (_, change) => {
    const { look, kubernetes } = await contained([aNeighbour("cart")]);

    await expect(look(null, change)).rejects.toMatchObject({ name: "InvalidInput" });
    expect(kubernetes.state.writes).toEqual([]);
  });

  test("of a run that was an audit is refused: it has cordoned no node", async () => {
    const { look } = await contained([aNeighbour("cart")], TARGET, "audit");

    await expect(look()).rejects.toThrow(/was an audit: it cordoned no node/);
  });
});

test("a drain is a run of its case, sealed and chained", async () => {
  const { store, look, now } = await contained([aNeighbour("cart")]);
  store.storedAt = now().toISOString();
  const writes = (state: string) => {
    store.writer = { ...store.writer, execution: EXECUTION.arn, state, capturedAt: store.storedAt };
  };
  writes("DrainNode");
  const { since } = await look();
  const { case: run, artefacts } = await look(since);

  writes("RecordDrain");
  const { verdict } = await recordDrain(
    { case: run, artefacts, execution: EXECUTION },
    { store, now, productVersion: "0.1.0" },
  );

  expect(verdict).toBe("drained");
  expect(await verifyRun(bucketFolder(store, run.runId))).toMatchObject({
    ...{ problems: [], verified: true, artefacts: 2 },
  });
});

test("killed anywhere, a drain that runs again evicts each pod once", async () => {
  const whole = await contained([aNeighbour("cart"), aNeighbour("db")]);
  const pods = structuredClone(whole.kubernetes.state.pods);
  const evidence = new Map(whole.store.objects);
  const calls = await killedEverywhere(
    () => {
      const kubernetes = memoryCluster({ ...whole.kubernetes.state, pods: [...pods], writes: [] });
      const store = memoryStore();
      for (const [key, text] of evidence) store.objects.set(key, text);
      return { ports: { kubernetes, store, clusters: whole.clusters }, kubernetes, store };
    },
    async ({ kubernetes, store, clusters }) => {
      const { look } = drainOf(kubernetes, store, clusters, whole.now);
      const { since } = await look();
      return look(since);
    },
    async ({ kubernetes, store }, { done }, killed) => {
      expect(done, killed).toBe(true);
      expect(kubernetes.state.writes, killed).toEqual(["evict Pod cart", "evict Pod db"]);
      expect(kept<Drain>(store, "drain.json").verdict, killed).toBe("drained");
      expect([...store.objects.keys()].filter((key) => key.includes("conflict"))).toEqual([]);
    },
  );

  expect(calls.filter((call) => /putOnce|evict/.test(call))).toEqual([
    ...["store.putOnce", "kubernetes.evict", "kubernetes.evict", "store.putOnce"],
  ]);
});
