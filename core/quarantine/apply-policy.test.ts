import { describe, expect, test } from "vitest";
import { aPod, aPolicy, memoryCluster } from "../../test/memory/cluster.ts";
import { memoryStore } from "../../test/memory/evidence-store.ts";
import type { Mode } from "../alert/alert.ts";
import { TransientError } from "../errors.ts";
import type { Target } from "../target/target.ts";
import { applyPolicy } from "./apply-policy.ts";
import { CASE_LABEL, MANAGED_BY, MANAGED_BY_LABEL, type Plan } from "./plan.ts";
import { snapshotAfter } from "./snapshot-after.ts";

const CASE = { id: "c-20261122-0123456789", runId: "20261122T175501123Z-c-20261122-0123456789" };
const ALERT = { detectedAt: "2026-11-22T17:54:59.000Z" };
const POD: Target = {
  cluster: "prod-eks-1",
  namespace: "payments",
  kind: "pod",
  name: "checkout-1",
  uid: null,
  containerId: "5c0ab5e4f1d3",
};
const NAMESPACE: Target = {
  cluster: "prod-eks-1",
  namespace: "payments",
  kind: "namespace",
  name: "payments",
  uid: null,
};

function prepare(pods = [aPod()]) {
  const kubernetes = memoryCluster({ pods });
  const store = memoryStore();
  let time = Date.parse("2026-11-22T17:55:00.000Z");
  const now = () => {
    time += 1_000;
    return new Date(time);
  };
  const act = (target: Target, mode: Mode = "containment") =>
    applyPolicy({ case: CASE, alert: ALERT, target, mode }, { kubernetes, store, now });
  const judge = () => snapshotAfter({ case: CASE }, { kubernetes, store, now });
  return { kubernetes, store, act, judge };
}

describe("the quarantine of a pod", () => {
  test("takes its labels first, then selects it with a policy of the case's own", async () => {
    const { kubernetes, act, judge } = prepare();

    const result = await act(POD);

    expect(result.outcome).toBe("applied");
    expect(kubernetes.state.writes).toEqual(["replacePodLabels", "applyNetworkPolicy"]);
    expect(kubernetes.state.pods[0]?.metadata.labels).toEqual({
      [CASE_LABEL]: CASE.id,
      [MANAGED_BY_LABEL]: MANAGED_BY,
    });
    expect(kubernetes.state.policies[0]).toMatchObject({
      metadata: { name: `quarantine-${CASE.id}` },
      spec: {
        podSelector: { matchLabels: { [CASE_LABEL]: CASE.id } },
        policyTypes: ["Ingress", "Egress"],
      },
    });
    expect((await judge()).verdict).toBe("contained");
  });

  test("keeps what it replaced before it replaces it", async () => {
    const { kubernetes, store, act } = prepare();
    kubernetes.state.failNextWrite = {
      name: "replacePodLabels",
      error: new TransientError("KubernetesUnavailable", "gone"),
    };

    await expect(act(POD)).rejects.toThrow("gone");

    const plan = await store.read<Plan>(`runs/${CASE.runId}/plan.json`);
    expect(plan?.document.steps[0]?.undo).toEqual({
      labels: { app: "checkout", "pod-template-hash": "6d8f" },
    });
  });

  test.each(["replacePodLabels", "applyNetworkPolicy"])(
    "goes on with the kept plan after %s failed, and still knows the first labels",
    async (name) => {
      const { kubernetes, store, act, judge } = prepare();
      const error = new TransientError("KubernetesUnavailable", "gone");
      kubernetes.state.failNextWrite = { name, error };
      await expect(act(POD)).rejects.toThrow("gone");
      const before = store.objects.get(`runs/${CASE.runId}/plan.json`);

      const result = await act(POD);

      expect(result.outcome).toBe("applied");
      expect(store.objects.get(`runs/${CASE.runId}/plan.json`)).toBe(before);
      expect((await judge()).verdict).toBe("contained");
    },
  );

  test("run twice changes nothing and says the same", async () => {
    const { kubernetes, act } = prepare();
    const first = await act(POD);
    const { pods, policies } = structuredClone(kubernetes.state);

    expect(await act(POD)).toEqual(first);
    expect(kubernetes.state).toMatchObject({ pods, policies });
  });

  test("in audit mode writes the plan and nothing else, and says what would remain open", async () => {
    const { kubernetes, act, judge } = prepare();
    kubernetes.state.policies = [aPolicy("allow-all", { podSelector: {}, ingress: [{}] })];

    const result = await act(POD, "audit");

    expect(result.outcome).toBe("planned");
    expect(kubernetes.state.writes).toEqual([]);
    expect(await judge()).toMatchObject({
      verdict: "audited",
      reasons: [{ code: "otherPolicyAllows" }],
    });
  });

  test("of a pod that is not the one is refused before any write", async () => {
    const { kubernetes, store, act } = prepare([aPod({ metadata: { name: "other" } })]);

    expect(await act(POD)).toMatchObject({ outcome: "refused", artefacts: [] });
    expect(kubernetes.state.writes).toEqual([]);
    expect(store.objects.size).toBe(0);
  });

  test("of a pod that goes away in between makes no policy for nobody, and is judged as gone", async () => {
    const { kubernetes, act, judge } = prepare();
    const error = new TransientError("KubernetesUnavailable", "gone");
    kubernetes.state.failNextWrite = { name: "replacePodLabels", error };
    await expect(act(POD)).rejects.toThrow("gone");
    kubernetes.state.pods = [];

    expect(await act(POD)).toMatchObject({ outcome: "gone", uid: "uid-1" });
    expect(kubernetes.state.policies).toEqual([]);
    expect(await judge()).toMatchObject({ verdict: "partial", reasons: [{ code: "podGone" }] });
  });
});

describe("the quarantine of a namespace", () => {
  test("is one deny-all policy for everything in it, and no label is touched", async () => {
    const { kubernetes, act, judge } = prepare();

    expect((await act(NAMESPACE)).outcome).toBe("applied");

    expect(kubernetes.state.writes).toEqual(["applyNetworkPolicy"]);
    expect(kubernetes.state.policies[0]).toMatchObject({
      metadata: { name: "quarantine-deny-all" },
      spec: { podSelector: {} },
    });
    expect((await judge()).verdict).toBe("contained");
  });

  test.each([
    ["somebody else", { "app.kubernetes.io/managed-by": "argocd" }, "managed by argocd"],
    ["nobody known", {}, "managed by somebody else"],
    ["another case", { [MANAGED_BY_LABEL]: MANAGED_BY, [CASE_LABEL]: "c-1" }, "of case c-1"],
  ])("never overwrites a policy of that name that belongs to %s", async (_, labels, owner) => {
    const { kubernetes, act } = prepare();
    const theirs = aPolicy("quarantine-deny-all", { podSelector: { matchLabels: { a: "b" } } });
    kubernetes.state.policies = [{ ...theirs, metadata: { ...theirs.metadata, labels } }];

    const failure = act(NAMESPACE);

    await expect(failure).rejects.toMatchObject({ name: "PolicyNameTaken" });
    await expect(failure).rejects.toThrow(owner);
    expect(kubernetes.state.writes).toEqual([]);
  });

  test("redriven after the namespace was made anew leaves the new one alone", async () => {
    const { kubernetes, act } = prepare();
    const error = new TransientError("KubernetesUnavailable", "gone");
    kubernetes.state.failNextWrite = { name: "applyNetworkPolicy", error };
    await expect(act(NAMESPACE)).rejects.toThrow("gone");
    kubernetes.namespace = async (name) => ({ metadata: { name, uid: "another" } });

    expect(await act(NAMESPACE)).toMatchObject({ outcome: "gone" });
    expect(kubernetes.state.policies).toEqual([]);
  });

  test("in audit mode is refused, not failed, while its policy's name is taken", async () => {
    const { kubernetes, act } = prepare();
    kubernetes.state.policies = [aPolicy("quarantine-deny-all", { podSelector: {} })];

    expect(await act(NAMESPACE, "audit")).toMatchObject({
      outcome: "refused",
      reason: expect.stringContaining("somebody else"),
    });
  });
});
