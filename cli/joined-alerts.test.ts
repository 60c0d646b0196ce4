import { expect, test } from "vitest";
import { absorbedKey, joinedAlertKey } from "../core/evidence/keys.ts";
import type { Absorbed } from "../core/evidence/schemas/case.ts";
import { memoryStore } from "../test/memory/evidence-store.ts";
import { joinedAlerts } from "./joined-alerts.ts";

const OTHER: Absorbed = {
  case: { id: "c-other", runId: "20261122T175501123Z-c-other" },
  target: {
    ...{ kind: "pod", cluster: "prod-eks-1", namespace: "shop", name: "cart-1" },
    ...{ uid: null, containerId: null },
  },
  why: "sameTarget",
};

test("an alert that lies with a case and with one that it took up counts once", async () => {
  const store = memoryStore();
  for (const execution of ["one", "both"]) {
    await store.putOnce(joinedAlertKey("c-this", execution), {});
  }
  for (const execution of ["both", "two", "three"]) {
    await store.putOnce(joinedAlertKey("c-other", execution), {});
  }
  await store.putOnce(joinedAlertKey("c-stranger", "four"), {});
  await store.putOnce(absorbedKey("c-this", "c-other"), OTHER);

  const joined = await joinedAlerts("c-this", {
    keys: async (prefix) => (await store.list(prefix, 1_000)).map(({ key }) => key),
    read: async (key) => Buffer.from(JSON.stringify((await store.read(key))?.document)),
  });

  expect(joined.alerts).toHaveLength(2);
  expect(joined.absorbed).toMatchObject([{ ...OTHER, alerts: 2 }]);
});

test("a case that nothing joined has no alerts but its own", async () => {
  const none = { keys: async () => [], read: async () => new Uint8Array() };

  expect(await joinedAlerts("c-this", none)).toEqual({ alerts: [], absorbed: [] });
});
