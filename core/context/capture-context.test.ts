import { describe, expect, test } from "vitest";
import { within } from "../../adapters/within.ts";
import { aPod, type MemoryCluster, memoryCluster } from "../../test/memory/cluster.ts";
import { memoryStore } from "../../test/memory/evidence-store.ts";
import { aCluster } from "../../test/memory/owned-pod.ts";
import { TransientError } from "../errors.ts";
import type { Artefact } from "../evidence/store.ts";
import type { Pod } from "../kubernetes.ts";
import type { Target } from "../target/target.ts";
import { captureContext } from "./capture-context.ts";
import type { ContainerLog } from "./logs.ts";

const CASE = { id: "c-1", runId: "run-1" };
const CANARY = "canary5c0ab5e4f1d3canary5c0ab5e4f1d3";
const common = { cluster: "prod-eks-1", namespace: "payments", uid: null };
const POD: Target = { ...common, kind: "pod", name: "checkout-1", containerId: null };
const NAMESPACE: Target = { ...common, kind: "namespace", name: "payments" };

function prepare(kubernetes: MemoryCluster, target: Target = POD) {
  const store = memoryStore();
  const uid = target.kind === "pod" ? "uid-1" : "uid-of-payments";
  const now = () => new Date("2026-11-22T17:55:30.000Z");
  const act = () => captureContext({ case: CASE, target, uid }, { kubernetes, store, within, now });
  const kept = (name: string) => JSON.parse(store.objects.get(`runs/run-1/${name}`) ?? "null");
  return { act, kept, store, kubernetes };
}

function withLogs(kubernetes: MemoryCluster, logs: Readonly<Record<string, string>>) {
  for (const [key, text] of Object.entries(logs)) kubernetes.state.logs.set(key, text);
  return kubernetes;
}

describe("a pod", () => {
  test("is written down with owners, node and what its service account may do", async () => {
    const { act, kept } = prepare(aCluster("Deployment"));

    const { missing, instanceIds, serviceAccounts, artefacts } = await act();

    expect({ missing, instanceIds, serviceAccounts }).toEqual({
      ...{ missing: [], instanceIds: ["i-0123456789abcdef0"], serviceAccounts: ["default"] },
    });
    expect(artefacts.map(({ key }) => key)).toEqual(["runs/run-1/context.json"]);
    const context = kept("context.json");
    expect(context.owners.map(({ kind }: { kind: string }) => kind)).toEqual([
      "ReplicaSet",
      "Deployment",
    ]);
    expect(context.permissions.bindings).toMatchObject([
      { name: "everybody", roleRef: { name: "view" }, through: [{ kind: "Group" }] },
    ]);
    expect(context.missing).toEqual([]);
  });

  test("keeps the owner that it had before the quarantine took its labels", async () => {
    const { act, kept, store, kubernetes } = prepare(aCluster("Deployment"));
    const [pod] = kubernetes.state.pods;
    await store.putOnce("runs/run-1/before.json", { pods: [pod] });
    const released: Pod = { ...aPod(), metadata: { ...aPod().metadata, ownerReferences: [] } };
    kubernetes.state.pods = [released];

    await act();

    expect(kept("context.json").owners[0]).toMatchObject({ kind: "ReplicaSet", name: "owner" });
  });

  test("that is gone is described by what was seen of it before", async () => {
    const { act, kept, store, kubernetes } = prepare(aCluster("nobody"));
    await store.putOnce("runs/run-1/before.json", { pods: kubernetes.state.pods });
    kubernetes.state.pods = [];

    const { instanceIds } = await act();

    expect(instanceIds).toEqual(["i-0123456789abcdef0"]);
    expect(kept("context.json").pod).toBeNull();
  });

  test("of the same name and another UID is not taken for it", async () => {
    const { act, kubernetes, kept } = prepare(aCluster("nobody"));
    kubernetes.state.pods = [aPod({ metadata: { uid: "uid-of-its-successor" } })];

    await act();

    expect(kept("context.json")).toMatchObject({ pods: 0, pod: null });
  });
});

test("a source that fails hides no other one, and is listed with its reason", async () => {
  const cluster = withLogs(aCluster("nobody"), { "payments/checkout-1/checkout": "said\n" });
  const { act, kept } = prepare(cluster);
  cluster.state.unreadable = ["events", "bindingPages"];

  const { missing } = await act();

  const context = kept("context.json");
  expect(context.missing).toEqual([
    { source: "events", error: "KubernetesUnavailable", reason: "events fails" },
    { source: "permissions", error: "KubernetesUnavailable", reason: "bindingPages fails" },
  ]);
  expect(context.nodes).toHaveLength(1);
  expect(kept("logs-1.json").logs[0].lines).toEqual(["said"]);
  expect(missing).toEqual([]); // neither is indispensable
});

test("logs that cannot be read are missing in the run itself", async () => {
  const { act, kubernetes } = prepare(aCluster("nobody"));
  kubernetes.state.unreadable = ["containerLog"];

  expect((await act()).missing).toEqual([
    {
      state: "CaptureContext",
      error: "KubernetesUnavailable",
      cause: "log of checkout-1/checkout: containerLog fails",
    },
  ]);
});

describe("a log", () => {
  const logOf = async (text: string): Promise<ContainerLog> => {
    const cluster = withLogs(aCluster("nobody"), { "payments/checkout-1/checkout": text });
    const { act, kept } = prepare(cluster);
    await act();
    return kept("logs-1.json").logs[0];
  };
  const at = "2026-11-22T17:55:00.000000001Z ";

  test("is freed of secrets that run over several lines, each with its time", async () => {
    const key = `-----BEGIN RSA PRIVATE KEY-----\n${CANARY}\n-----END RSA PRIVATE KEY-----`;
    const text = ["first", ...key.split("\n"), `password=${CANARY}`, "last"]
      .map((line) => `${at}${line}\n`)
      .join("");

    const { lines } = await logOf(text);

    expect(JSON.stringify(lines)).not.toContain(CANARY);
    expect(lines).toHaveLength(6);
    expect([lines[0], lines.at(-1)]).toEqual([`${at}first`, `${at}last`]);
  });

  test("is cut to its last lines, and a secret is never cut in half", async () => {
    const text = Array.from({ length: 900 }, (_, n) => `${n} token=${CANARY} ${"x".repeat(400)}\n`);

    const { lines, cut } = await logOf(text.join(""));

    expect(cut).toBe(true);
    expect(lines.at(-1)).toMatch(/^899 /);
    expect(lines[0]).toMatch(/^\d+ token=\[redacted\]/);
    expect(Buffer.byteLength(lines.join("\n"))).toBeLessThanOrEqual(256 * 1024);
    expect(JSON.stringify(lines)).not.toContain(CANARY.slice(-8));
  });

  test("says that its newest lines are missing where they are too long for the API's limit", async () => {
    expect(await logOf("x".repeat(1024 * 1024))).toMatchObject({ endMissing: true, cut: true });
  });
});

test("of a namespace the logs of twenty pods are taken, those that restarted first", async () => {
  const pods = Array.from({ length: 30 }, (_, n) => {
    const pod = aPod({ metadata: { name: `checkout-${n}`, uid: `uid-${n}` } });
    const status = { ...pod.status, containerStatuses: [{ name: "checkout", restartCount: 1 }] };
    return n === 29 ? { ...pod, status } : pod;
  });
  const { act, kept } = prepare(memoryCluster({ pods }), NAMESPACE);

  await act();

  const { logs } = kept("context.json");
  expect(logs.pages).toHaveLength(20);
  expect(logs.pages[0].pod).toBe("checkout-29");
  expect(logs.podsLeftOut).toBe(10);
  expect(kept("logs-1.json").logs.map(({ previous }: ContainerLog) => previous)).toEqual([
    false,
    true,
  ]);
});

describe("a function that dies", () => {
  const pods = ["a", "b"].map((name) => aPod({ metadata: { name, uid: `uid-${name}` } }));
  const writes = ["logs-1.json", "logs-2.json", "context.json"];

  test.each(
    writes.flatMap((name) => [
      ["before", name],
      ["after", name],
    ]),
  )("%s it has written %s is run again, and every log has its pod", async (when, name) => {
    const { act, kept, store, kubernetes } = prepare(memoryCluster({ pods }), NAMESPACE);
    const { putOnce } = store;
    store.putOnce = async (key, document) => {
      const dies = key.endsWith(name);
      if (dies && when === "before") throw killed();
      const stored = await putOnce(key, document);
      if (dies) throw killed();
      return stored;
    };
    await act().catch(() => {});
    store.putOnce = putOnce;
    kubernetes.state.pods = kubernetes.state.pods.toReversed(); // the list comes in another order

    await act();

    const { pages } = kept("context.json").logs;
    for (const { pod, artefact } of pages) {
      expect(kept(artefact.key.slice("runs/run-1/".length)).pod).toBe(pod);
    }
    const { artefacts } = await act();
    expect(artefacts).toEqual([(await store.inspect("runs/run-1/context.json"))[0]].map(bare));
  });

  const killed = () => new TransientError("EvidenceUnavailable", "killed");
  const bare = (artefact: Artefact | undefined) => {
    const { key = "", sha256 = "", size = 0, versionId = "" } = artefact ?? {};
    return { key, sha256, size, versionId };
  };
});
