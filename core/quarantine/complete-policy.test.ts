import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ENGAGED, PROTECTED_LABELS, RELEASED, UNBRAKED } from "../../test/memory/brakes.ts";
import { aPod, type MemoryCluster, memoryCluster } from "../../test/memory/cluster.ts";
import { memoryStore } from "../../test/memory/evidence-store.ts";
import { SETTINGS, VPC } from "../../test/memory/quarantine-input.ts";
import type { Severity } from "../alert/alert.ts";
import { TransientError } from "../errors.ts";
import { applyPolicy } from "./apply-policy.ts";
import { type Completion, completePolicy, type Progress } from "./complete-policy.ts";

const CASE = { id: "c-20261122-0123456789", runId: "20261122T175501123Z-c-20261122-0123456789" };
const POLICY = `quarantine-${CASE.id}`;
const DEPLOYMENT = { kind: "Deployment", name: "checkout", uid: "uid-of-checkout" } as const;
const REPLICA_SET = { kind: "ReplicaSet", name: "checkout-6d8f", uid: "uid-of-6d8f" } as const;

/** A Deployment of two pods, of which the first is quarantined; its clock stands still. */
async function prepare(severity: Severity) {
  const replica = (name: string, uid: string) =>
    aPod({ metadata: { name, uid, ownerReferences: [{ ...REPLICA_SET, controller: true }] } });
  const kubernetes = memoryCluster({
    pods: [replica("checkout-6d8f-1", "uid-1"), replica("checkout-6d8f-2", "uid-2")],
    workloads: [
      {
        kind: "ReplicaSet",
        metadata: {
          name: "checkout-6d8f",
          namespace: "payments",
          uid: "uid-of-6d8f",
          ownerReferences: [{ ...DEPLOYMENT, controller: true }],
        },
        spec: { selector: { matchLabels: { app: "checkout", "pod-template-hash": "6d8f" } } },
      },
      {
        kind: "Deployment",
        metadata: { name: "checkout", namespace: "payments", uid: "uid-of-checkout" },
        spec: {
          replicas: 2,
          selector: { matchLabels: { app: "checkout" } },
          template: { metadata: {} },
        },
      },
    ],
  });
  const store = memoryStore();
  const clock = { now: Date.parse("2026-11-22T17:55:00.000Z") };
  const now = () => new Date(clock.now);
  const target = {
    cluster: "c",
    namespace: "payments",
    kind: "pod",
    name: "checkout-6d8f-1",
    uid: "uid-1",
    containerId: null,
  } as const;
  const alert = { detectedAt: now().toISOString(), severity };
  const execution = { arn: "arn:aws:states:a", name: "a", startedAt: now().toISOString() };
  const applied = await applyPolicy(
    { case: CASE, execution, alert, target, mode: "containment", network: VPC, ...UNBRAKED },
    { kubernetes, store, settings: SETTINGS, protectedLabels: PROTECTED_LABELS, now },
  );
  kubernetes.state.writes = [];
  const look = (progress: Progress | null, killSwitch = RELEASED) =>
    completePolicy({ case: CASE, progress, killSwitch }, { kubernetes, store, now });
  /** Looks until it is done, or so many times. */
  const lookTimes = async (times: number) => {
    let progress: Progress | null = null;
    for (let count = 1; ; count += 1) {
      const looked = await look(progress);
      if (looked.done || count === times) return looked;
      progress = looked.progress;
    }
  };
  return { kubernetes, store, clock, applied, look, lookTimes };
}

function policiesOf({ state: { policies } }: MemoryCluster): string[] {
  return [...policies.networkPolicies, ...policies.clusterNetworkPolicies].map(
    ({ kind, metadata }) => `${kind} ${metadata.name}`,
  );
}

function endRollout({ state }: MemoryCluster): void {
  state.pods = state.pods.filter(({ metadata }) => metadata.uid !== "uid-2");
}

describe("the phases after the first", () => {
  test("wait while a sibling runs, and write nothing", async () => {
    const { kubernetes, applied, lookTimes } = await prepare("low");

    const looked = await lookTimes(5);

    expect(applied).toMatchObject({ outcome: "applied", pending: true });
    expect(looked).toMatchObject({ done: false, progress: { phase: 1, settling: false } });
    expect(kubernetes.state.writes).toEqual([]);
  });

  test("wait while a policy is resolved to a sibling that is gone", async () => {
    const { kubernetes, lookTimes } = await prepare("low");
    endRollout(kubernetes);
    const pod = { namespace: "payments", podIP: "10.0.0.12", hostIP: "10.0.0.1" };
    kubernetes.state.endpoints = [
      {
        metadata: { name: "allow-x" },
        spec: {
          policyRef: { name: "allow", namespace: "payments" },
          podSelectorEndpoints: [{ ...pod, name: "checkout-6d8f-2" }],
        },
      },
    ];

    expect((await lookTimes(5)).done).toBe(false);
  });

  test("clean: the cluster policy is made once two looks agree, and only that contains", async () => {
    const { kubernetes, clock, store, look } = await prepare("low");
    endRollout(kubernetes);
    const first = await look(null);
    clock.now += 1_000;

    const second = await look(first.progress);

    expect(first).toMatchObject({ done: false, progress: { settling: true } });
    expect(second).toMatchObject({ done: true, quarantinedAt: "2026-11-22T17:55:01.000Z" });
    expect(kubernetes.state.writes).toEqual([`create ClusterNetworkPolicy ${POLICY}`]);
    const kept = await store.read<Completion>(`runs/${CASE.runId}/completion.json`);
    expect(kept?.document.phases).toMatchObject([{ phase: 1, conditionMet: true }]);
  });

  test("fast: the cluster policy is made anew, and the first phase had contained already", async () => {
    const { kubernetes, lookTimes } = await prepare("high");
    endRollout(kubernetes);

    const looked = await lookTimes(10);

    expect(looked).toMatchObject({ done: true, quarantinedAt: null });
    expect(kubernetes.state.writes).toEqual([
      `delete ClusterNetworkPolicy ${POLICY}`,
      `create ClusterNetworkPolicy ${POLICY}`,
    ]);
  });

  test("go on after a failure between two writes, with nothing done twice", async () => {
    const { kubernetes, look, lookTimes } = await prepare("high");
    endRollout(kubernetes);
    const deleted = await lookTimes(2);
    const write = `create ClusterNetworkPolicy ${POLICY}`;
    kubernetes.state.failNextWrite = {
      write,
      error: new TransientError("KubernetesUnavailable", "gone"),
    };
    const settled = await look(deleted.progress);
    await expect(look(settled.progress)).rejects.toThrow("gone");

    const looked = await look(settled.progress);

    expect(looked.done).toBe(true);
    expect(kubernetes.state.policies.clusterNetworkPolicies).toHaveLength(1);
  });

  test("do not take a policy for made that is still being deleted", async () => {
    const { kubernetes, look, lookTimes } = await prepare("high");
    endRollout(kubernetes);
    const [terminating] = kubernetes.state.policies.clusterNetworkPolicies;
    if (!terminating) throw new Error("no policy");
    const deleted = await lookTimes(2);
    const settled = await look(deleted.progress);
    const { metadata } = terminating;
    kubernetes.state.policies = {
      ...kubernetes.state.policies,
      clusterNetworkPolicies: [
        { ...terminating, metadata: { ...metadata, deletionTimestamp: "2026-11-22T17:55:01Z" } },
      ],
    };

    await expect(look(settled.progress)).rejects.toMatchObject({ name: "KubernetesConflict" });
  });

  test("are held back by the kill switch, and what was withheld is said", async () => {
    const { kubernetes, store, look } = await prepare("low");
    const waiting = await look(null);
    endRollout(kubernetes);

    const braked = await look(waiting.progress, ENGAGED);

    const brake = {
      brake: "killSwitch",
      withheld: expect.stringContaining("override every policy"),
    };
    expect(braked).toMatchObject({ done: true, quarantinedAt: null, brakes: [brake] });
    expect(kubernetes.state.writes).toEqual([]);
    const kept = await store.read<Completion>(`runs/${CASE.runId}/completion.json`);
    expect(kept?.document).toMatchObject({ phases: [], braked: brake });
  });

  test("are held back when the kill switch cannot be read", async () => {
    const { kubernetes, look } = await prepare("low");
    endRollout(kubernetes);

    const braked = await look(null, { ...RELEASED, value: null });

    expect(braked).toMatchObject({ done: true, brakes: [{ why: /could not be read/ }] });
    expect(kubernetes.state.writes).toEqual([]);
  });

  test("whenever the kill switch is pulled: nothing new is begun, and no policy stays deleted", async () => {
    const severities = fc.constantFrom<Severity>("high", "low");
    await fc.assert(
      fc.asyncProperty(severities, fc.integer({ min: 0, max: 7 }), async (severity, pulledAt) => {
        const { kubernetes, look } = await prepare(severity);
        const stood = policiesOf(kubernetes);
        endRollout(kubernetes);
        let progress: Progress | null = null;
        let writtenBefore: readonly string[] = [];
        for (let count = 0, done = false; !done; count += 1) {
          const looked = await look(progress, count < pulledAt ? RELEASED : ENGAGED);
          ({ done, progress } = looked);
          if (count < pulledAt) writtenBefore = [...kubernetes.state.writes];
          if (count > 20) throw new Error("it never ends");
        }

        const after = kubernetes.state.writes.slice(writtenBefore.length);
        const restores = writtenBefore.at(-1)?.startsWith("delete") ? 1 : 0;
        expect(after).toEqual(restores ? [`create ClusterNetworkPolicy ${POLICY}`] : []);
        expect(policiesOf(kubernetes)).toEqual(expect.arrayContaining(stood));
      }),
      { numRuns: 40 },
    );
  });

  test("are bounded: a clean quarantine then cuts the siblings too, and says so", async () => {
    const { kubernetes, clock, store, look } = await prepare("low");
    const { progress } = await look(null);
    clock.now += 600_000;

    expect(await look(progress)).toMatchObject({ done: true });

    expect(kubernetes.state.writes).toEqual([`create ClusterNetworkPolicy ${POLICY}`]);
    const kept = await store.read<Completion>(`runs/${CASE.runId}/completion.json`);
    expect(kept?.document.phases).toMatchObject([{ conditionMet: false }]);
  });

  test("are bounded: a policy is put back even when nothing can be looked at any more", async () => {
    const { kubernetes, clock, look, lookTimes } = await prepare("high");
    endRollout(kubernetes);
    const deleted = await lookTimes(2);
    kubernetes.policyEndpoints = async () => {
      throw new TransientError("KubernetesUnavailable", "gone");
    };
    await expect(look(deleted.progress)).rejects.toThrow("gone");
    clock.now += 600_000;

    expect(await look(deleted.progress)).toMatchObject({ done: true });
    expect(kubernetes.state.policies.clusterNetworkPolicies).toHaveLength(1);
  });

  test("are bounded: a fast quarantine is left unrepaired, with its policy in place", async () => {
    const { kubernetes, clock, look } = await prepare("high");
    const { progress } = await look(null);
    clock.now += 600_000;

    expect(await look(progress)).toMatchObject({ done: true });
    expect(kubernetes.state.writes).toEqual([]);
  });
});
