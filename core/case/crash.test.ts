/* OpenCase, and what ApplyPolicy and RecordRun do with cases, killed at every call and run again. */
import { expect, test } from "vitest";
import { killedEverywhere } from "../../test/crash-points.ts";
import { detectionOf } from "../../test/memory/detections.ts";
import { type MemoryStore, memoryStore } from "../../test/memory/evidence-store.ts";
import type { Proven } from "../evidence/schemas/case.ts";
import type { EvidenceStore } from "../evidence/store.ts";
import type { NamespaceTarget, PodTarget, Target } from "../target/target.ts";
import { caseOf, openCase } from "./case.ts";
import { claimTarget, spreadClaim } from "./claim.ts";
import { freeTarget } from "./markers.ts";

const IN = { cluster: "prod-eks-1", namespace: "payments", uid: null };
const POD: PodTarget = { ...IN, kind: "pod", name: "checkout-1", containerId: "aaaaaaaaaaaa" };
const SIDECAR: PodTarget = { ...POD, containerId: "bbbbbbbbbbbb" };
const NAMESPACE: NamespaceTarget = { ...IN, kind: "namespace", name: "payments" };
const PROVEN: Proven = { uid: "uid-1", containerIds: ["aaaaaaaaaaaa11", "bbbbbbbbbbbb11"] };
const PROVEN_NAMESPACE: Proven = { uid: "uid-of-payments", containerIds: [] };

type Act = (store: EvidenceStore) => Promise<unknown>;

const open = (target: Target, name: string) => async (store: EvidenceStore) => {
  // That it is asked again is the one thing that differs, and is meant to.
  const { again: _, ...opened } = await openCase(detectionOf(target, name), store);
  return opened;
};

const claim = (target: Target, name: string, proven: Proven) => async (store: EvidenceStore) => {
  const { execution } = detectionOf(target, name);
  const own = caseOf(execution);
  const claimed = await claimTarget({ case: own, execution, target }, proven, store);
  if (claimed.case.id === own.id) await spreadClaim(claimed, store);
  return claimed.case;
};

/** What came before, and what is killed. */
const SCENES: Readonly<Record<string, { before: readonly Act[]; act: Act }>> = {
  "an alert opens a case": { before: [], act: open(POD, "b") },
  "an alert joins the case of its pod": { before: [open(POD, "a")], act: open(POD, "b") },
  "an alert names the pod in another way": { before: [open(POD, "a")], act: open(SIDECAR, "b") },
  "an alert joins the case of its namespace": {
    before: [open(NAMESPACE, "a"), claim(NAMESPACE, "a", PROVEN_NAMESPACE)],
    act: open(POD, "b"),
  },
  "an alert gives its case up for that of its namespace": {
    before: [open(POD, "b"), open(NAMESPACE, "a"), claim(NAMESPACE, "a", PROVEN_NAMESPACE)],
    act: open(POD, "b"),
  },
  "a proven target is claimed": {
    before: [open(POD, "b")],
    act: claim(POD, "b", PROVEN),
  },
  "a target turns out to be another case's": {
    before: [open(POD, "a"), open(SIDECAR, "b"), claim(POD, "a", PROVEN)],
    act: claim(SIDECAR, "b", PROVEN),
  },
  "a namespace's case takes up the pods in it": {
    before: [open(POD, "a"), claim(POD, "a", PROVEN), open(NAMESPACE, "b")],
    act: claim(NAMESPACE, "b", PROVEN_NAMESPACE),
  },
  "a case frees its target": {
    before: [open(POD, "b"), claim(POD, "b", PROVEN)],
    act: (store) => freeTarget(POD, caseOf(detectionOf(POD, "b").execution), store),
  },
};

/** A store with what another one holds. */
function copyOf({ objects, kept }: MemoryStore): MemoryStore {
  const copy = memoryStore();
  for (const [key, text] of objects) copy.objects.set(key, text);
  for (const [key, rest] of kept) copy.kept.set(key, rest);
  return copy;
}

test.each(Object.entries(SCENES))("%s, wherever the function dies", async (_, { before, act }) => {
  const first = memoryStore();
  for (const earlier of before) await earlier(first);
  const ends: string[] = [];

  const calls = await killedEverywhere(
    () => ({ ports: { store: copyOf(first) } }),
    ({ store }) => act(store),
    async ({ ports: { store } }, result, killed) => {
      const end = { result, objects: [...store.objects].toSorted() };
      ends.push(JSON.stringify(end, (key, value) => (key === "versionId" ? "any" : value)));
      expect(ends.at(-1), killed).toBe(ends[0]);
    },
  );

  expect(calls.length).toBeGreaterThan(2);
});
