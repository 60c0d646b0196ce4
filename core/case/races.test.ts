/*
 * Many alerts at once about one name, in every order in which the store may answer: fast-check draws
 * the orders, and a failure prints the seed and the path that draw them again.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { detectionOf } from "../../test/memory/detections.ts";
import { type MemoryStore, memoryStore } from "../../test/memory/evidence-store.ts";
import { TransientError } from "../errors.ts";
import { absorbedKey, absorbedPrefix, artefactKey, joinedAlertsPrefix } from "../evidence/keys.ts";
import type { OpenMarker, Proven } from "../evidence/schemas/case.ts";
import type { EvidenceStore } from "../evidence/store.ts";
import type { Target } from "../target/target.ts";
import { type CaseRef, openCase } from "./case.ts";
import { claimTarget, spreadClaim } from "./claim.ts";
import { freeTarget } from "./markers.ts";

const IN = { cluster: "prod-eks-1", namespace: "payments" };
const POD = { ...IN, kind: "pod", name: "db-0" } as const;
const NAMESPACE: Target = { ...IN, kind: "namespace", name: "payments", uid: null };

/** The pod that has the name now, and the one that had it before; a second pod beside them. */
const PODS: Readonly<Record<string, Proven>> = {
  "db-0": { uid: "uid-now", containerIds: ["aaaaaaaaaaaa1111", "bbbbbbbbbbbb1111"] },
  "db-1": { uid: "uid-of-db-1", containerIds: ["cccccccccccc1111"] },
};

/** How alerts may name what they are about. */
const NAMED: Readonly<Record<string, Target>> = {
  container: { ...POD, uid: null, containerId: "aaaaaaaaaaaa" },
  sidecar: { ...POD, uid: null, containerId: "bbbbbbbbbbbb" },
  uid: { ...POD, uid: "uid-now", containerId: null },
  name: { ...POD, uid: null, containerId: null },
  predecessor: { ...POD, uid: null, containerId: "dddddddddddd" },
  predecessorsUid: { ...POD, uid: "uid-before", containerId: null },
  neighbour: { ...POD, name: "db-1", uid: null, containerId: "cccccccccccc" },
  namespace: NAMESPACE,
  namespaceUid: { ...NAMESPACE, uid: "uid-of-payments" },
};
const OF_THE_POD = ["container", "sidecar", "uid", "name"];

/** What the cluster says of a target; null when it is not the one that is there. */
function prove(target: Target): Proven | null {
  if (target.kind === "namespace") return { uid: "uid-of-payments", containerIds: [] };
  const there = PODS[target.name];
  const { uid, containerId } = target;
  if (!there || (uid !== null && uid !== there.uid)) return null;
  const runs = (id: string) => there.containerIds.some((each) => each.startsWith(id));
  return containerId === null || runs(containerId) ? there : null;
}

interface End {
  readonly alert: string;
  readonly execution: string;
  readonly outcome: "acts" | "joined" | "joinedLate" | "refused";
  readonly case: CaseRef;
}

/** As the workflow does it. */
async function retried<T>(state: () => Promise<T>, attempts = 5): Promise<T> {
  try {
    return await state();
  } catch (error) {
    if (!(error instanceof TransientError) || attempts === 1) throw error;
    return retried(state, attempts - 1);
  }
}

/** OpenCase, and of ApplyPolicy and RecordRun what concerns the case. */
async function respond(alert: string, name: string, store: EvidenceStore): Promise<End> {
  const target = NAMED[alert] ?? NAMESPACE;
  const detection = detectionOf(target, name);
  const { execution } = detection;
  const opened = await retried(() => openCase(detection, store));
  const end = (outcome: End["outcome"], ref: CaseRef) =>
    ({ alert, execution: name, outcome, case: ref }) as const;
  if (opened.opened === "joined") return end("joined", opened.case);
  const proven = prove(target);
  if (!proven) {
    await freeTarget(target, opened.case, store);
    return end("refused", opened.case);
  }
  const claim = await retried(() =>
    claimTarget({ case: opened.case, execution, target }, proven, store),
  );
  if (claim.case.id !== opened.case.id) return end("joinedLate", claim.case);
  await spreadClaim(claim, store);
  return end("acts", claim.case);
}

/** The store, answering in the order that the scheduler draws. */
function drawn(store: MemoryStore, scheduler: fc.Scheduler): EvidenceStore {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return async (...input: unknown[]) => {
        await scheduler.schedule(Promise.resolve(), String(name));
        return Reflect.apply(member, target, input);
      };
    },
  });
}

async function ofAll(
  scheduler: fc.Scheduler,
  alerts: readonly string[],
): Promise<{ readonly store: MemoryStore; readonly ends: readonly End[] }> {
  const store = memoryStore();
  const slow = drawn(store, scheduler);
  const all = alerts.map((alert, index) => respond(alert, `e${index}`, slow));
  return { store, ends: await scheduler.waitFor(Promise.all(all)) };
}

const acting = (ends: readonly End[], names: readonly string[]) =>
  ends.filter(({ alert, outcome }) => outcome === "acts" && names.includes(alert));

function markersOf(store: MemoryStore): readonly OpenMarker[] {
  return [...store.objects].flatMap(([key, text]) =>
    key.startsWith("open/") ? [JSON.parse(text)] : [],
  );
}

/** Whether the alert lies with its own run, or with a case that leads to one that acts. */
function isKept({ execution, outcome, case: ref }: End, store: MemoryStore): boolean {
  if (outcome === "acts" || outcome === "refused") {
    return store.objects.has(artefactKey(ref.runId, "alert.json"));
  }
  return [...store.objects.keys()].some((key) =>
    new RegExp(`^cases/[^/]+/alerts/${execution}\\.json$`).test(key),
  );
}

/** The case that acts for one that others joined: itself, or the one that took it up. */
function actingFor(id: string, store: MemoryStore, ends: readonly End[]): string | null {
  if (ends.some((end) => end.outcome === "acts" && end.case.id === id)) return id;
  const above = [...store.objects.keys()].find((key) => key.endsWith(`/absorbed/${id}.json`));
  const holder = above?.split("/")[1];
  return holder === undefined || holder === id ? null : actingFor(holder, store, ends);
}

const someOf = (names: readonly string[], maxLength = 12) =>
  fc.array(fc.constantFrom(...names), { minLength: 1, maxLength });
const runs = { seed: 7, numRuns: 200 };

describe("whatever the order", () => {
  test("one case acts on a pod, however its alerts name it, and every alert lies with it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), someOf(OF_THE_POD), async (scheduler, alerts) => {
        const { store, ends } = await ofAll(scheduler, alerts);

        const [one, ...more] = acting(ends, OF_THE_POD);
        expect(more).toEqual([]);
        expect(ends.filter((end) => !isKept(end, store))).toEqual([]);
        const leadTo = ends.map((end) => actingFor(end.case.id, store, ends));
        expect(new Set(leadTo)).toEqual(new Set([one?.case.id]));
        expect(markersOf(store).filter((each) => each.case.id !== one?.case.id)).toEqual([]);
      }),
      runs,
    );
  });

  test("an alert about the pod that had the name before keeps no alert about the new one from acting", async () => {
    const about = [...OF_THE_POD, "predecessor", "predecessorsUid"];
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), someOf(about), async (scheduler, alerts) => {
        const { store, ends } = await ofAll(scheduler, alerts);

        const certain = ends.filter(({ alert }) => OF_THE_POD.includes(alert));
        expect(acting(ends, OF_THE_POD)).toHaveLength(certain.length > 0 ? 1 : 0);
        for (const end of certain) {
          expect(actingFor(end.case.id, store, ends)).toBe(acting(ends, OF_THE_POD)[0]?.case.id);
        }
        const stale = ends.filter(({ alert }) => alert.startsWith("predecessor"));
        expect(stale.every(({ outcome }) => outcome === "refused" || outcome === "joined")).toBe(
          true,
        );
        expect(ends.filter((end) => !isKept(end, store))).toEqual([]);
      }),
      runs,
    );
  });

  test("a namespace's case and those of pods in it know of each other, and none is lost", async () => {
    const about = [...OF_THE_POD, "neighbour", "namespace", "namespaceUid"];
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), someOf(about), async (scheduler, alerts) => {
        const { store, ends } = await ofAll(scheduler, alerts);

        const around = acting(ends, ["namespace", "namespaceUid"]);
        const pods = [...acting(ends, OF_THE_POD), ...acting(ends, ["neighbour"])];
        const asked = alerts.some((alert) => alert.startsWith("namespace"));
        expect(around).toHaveLength(asked ? 1 : 0);
        expect(acting(ends, OF_THE_POD).length).toBeLessThanOrEqual(1);
        for (const pod of pods) {
          for (const { case: ref } of around) {
            expect(store.objects.has(absorbedKey(ref.id, pod.case.id))).toBe(true);
          }
        }
        for (const end of ends) expect(actingFor(end.case.id, store, ends)).not.toBeNull();
        expect(ends.filter((end) => !isKept(end, store))).toEqual([]);
      }),
      runs,
    );
  });

  test("an alert that joins a case while it is released is seen by the release, or acts", async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), someOf(OF_THE_POD, 6), async (scheduler, alerts) => {
        const store = memoryStore();
        const first = await respond("container", "first", store);
        const slow = drawn(store, scheduler);
        const release = async () => {
          await freeTarget(NAMED.container ?? NAMESPACE, first.case, slow);
          const { id } = first.case;
          const alerts = await slow.list(joinedAlertsPrefix(id), 1_000);
          return [...alerts, ...(await slow.list(absorbedPrefix(id), 1_000))].map(({ key }) => key);
        };
        const all = alerts.map((alert, index) => respond(alert, `e${index}`, slow));
        const [seen, ...ends] = await scheduler.waitFor(Promise.all([release(), ...all] as const));

        for (const end of ends.filter((each) => each.case.id === first.case.id)) {
          expect(seen.some((key) => key.endsWith(`/${end.execution}.json`))).toBe(true);
        }
        expect(markersOf(store).filter((each) => each.case.id === first.case.id)).toEqual([]);
        expect(acting(ends, OF_THE_POD).length).toBeLessThanOrEqual(1);
      }),
      runs,
    );
  });
});

test("of two hundred alerts about the containers of one pod one acts, and all are kept", async () => {
  const seeded = fc.sample(fc.scheduler(), { numRuns: 1, seed: 7 })[0];
  if (!seeded) throw new Error("no scheduler was drawn");
  const alerts = Array.from({ length: 200 }, (_, index) => OF_THE_POD[index % 4] ?? "name");

  const { store, ends } = await ofAll(seeded, alerts);

  expect(acting(ends, OF_THE_POD)).toHaveLength(1);
  expect(ends.filter((end) => isKept(end, store))).toHaveLength(200);
  // Those that named it in another way than the first, and who came while one of them handed over.
  expect(ends.filter(({ outcome }) => outcome === "joinedLate").length).toBeLessThan(10);
});
