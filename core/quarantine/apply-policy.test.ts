import { describe, expect, test } from "vitest";
import { ENGAGED, PROTECTED_LABELS, UNBRAKED } from "../../test/memory/brakes.ts";
import {
  aPod,
  aPolicy,
  type MemoryCluster,
  memoryCluster,
  networkPolicies,
} from "../../test/memory/cluster.ts";
import { memoryStore } from "../../test/memory/evidence-store.ts";
import {
  CILIUM,
  CILIUM_CLUSTER,
  SETTINGS,
  VPC,
  VPC_CLUSTER,
} from "../../test/memory/quarantine-input.ts";
import type { Mode } from "../alert/alert.ts";
import { TransientError } from "../errors.ts";
import type { Target } from "../target/target.ts";
import { type AppliedPolicy, type ApplyInput, applyPolicy } from "./apply-policy.ts";
import { CASE_LABEL, MANAGED_BY, MANAGED_BY_LABEL } from "./labels.ts";
import type { Plan } from "./plan.ts";
import type { QuarantineSettings } from "./settings.ts";
import { snapshotAfter } from "./snapshot-after.ts";

const CASE = { id: "c-20261122-0123456789", runId: "20261122T175501123Z-c-20261122-0123456789" };
const EXECUTION = {
  arn: "arn:aws:states:us-east-1:111122223333:execution:contain:a",
  name: "a",
  startedAt: "2026-11-22T17:54:59.500Z",
};
const ALERT = { detectedAt: "2026-11-22T17:54:59.000Z", severity: "high" } as const;
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

const MARKED = { "eks-containment/protected": "true" };

function prepare(
  initial: Partial<MemoryCluster["state"]> = {},
  protectedLabels = PROTECTED_LABELS,
) {
  const kubernetes = memoryCluster({ ...CILIUM_CLUSTER, pods: [aPod()], ...initial });
  const store = memoryStore();
  let time = Date.parse("2026-11-22T17:55:00.000Z");
  const now = () => {
    time += 1_000;
    return new Date(time);
  };
  const act = (target: Target, mode: Mode = "containment", brakes: Partial<ApplyInput> = {}) =>
    applyPolicy(
      {
        ...{ case: CASE, execution: EXECUTION, alert: ALERT, target, mode, network: CILIUM },
        ...{ ...UNBRAKED, ...brakes },
      },
      { kubernetes, store, settings: SETTINGS, protectedLabels, now },
    );
  const judge = () => snapshotAfter({ case: CASE }, { kubernetes, store, now });
  const wait = (minutes: number) => {
    time += minutes * 60_000;
  };
  return { kubernetes, store, act, judge, wait };
}

const WRITES = [
  "patch Pod checkout-1",
  `create NetworkPolicy quarantine-${CASE.id}`,
  `create CiliumNetworkPolicy quarantine-${CASE.id}`,
];

describe("a target that two cases mean", () => {
  const other = { id: "c-20261122-9876543210", runId: "20261122T175502000Z-c-20261122-9876543210" };
  const sidecar: Target = { ...POD, containerId: "9d0ab5e4f1d3" };
  const [pod] = [aPod()];
  const withSidecar = {
    ...pod,
    status: {
      ...pod.status,
      initContainerStatuses: [
        { name: "mesh", containerID: `containerd://${"9d0ab5e4f1d3".repeat(5)}` },
      ],
    },
  };
  const another = (target: Target, { kubernetes, store }: ReturnType<typeof prepare>) =>
    applyPolicy(
      {
        ...{ case: other, execution: { ...EXECUTION, arn: "arn:aws:states:b", name: "b" } },
        ...{ alert: ALERT, target, network: CILIUM, mode: "containment", ...UNBRAKED },
      },
      {
        ...{ kubernetes, store, settings: SETTINGS, protectedLabels: PROTECTED_LABELS },
        now: () => new Date("2026-11-22T17:56:00.000Z"),
      },
    );

  test("is quarantined by the one that proved it first, and left alone by the other", async () => {
    const scene = prepare({ pods: [withSidecar] });
    await scene.act(POD);
    const writes = [...scene.kubernetes.state.writes];

    const late = await another(sidecar, scene);

    expect(late).toMatchObject({ outcome: "joined", reason: expect.stringContaining(CASE.id) });
    expect(scene.kubernetes.state.writes).toEqual(writes);
    expect(await scene.store.list(`runs/${other.runId}/`, 10)).toEqual([]);
    expect((await scene.judge()).verdict).toBe("contained");
  });

  test("a pod that is quarantined already stays so when its namespace is, by writes that do not meet", async () => {
    const scene = prepare({ pods: [withSidecar] });
    await scene.act(POD);
    const ofPod = new Set(scene.kubernetes.state.writes.map((write) => write.replace(/^\w+ /, "")));
    scene.kubernetes.state.writes = [];

    expect((await another(NAMESPACE, scene)).outcome).toBe("applied");

    const ofNamespace = scene.kubernetes.state.writes.map((write) => write.replace(/^\w+ /, ""));
    expect(ofNamespace.filter((object) => ofPod.has(object))).toEqual([]);
    expect(scene.kubernetes.state.pods[0]?.metadata.labels?.[CASE_LABEL]).toBe(CASE.id);
    expect((await scene.judge()).verdict).toBe("contained");
  });

  test("the next pod of the name is quarantined by a case of its own", async () => {
    const scene = prepare();
    await scene.act(POD);
    const successor = aPod({ metadata: { uid: "uid-2" } });
    scene.kubernetes.state.pods = [successor];

    expect(await another({ ...POD, containerId: null, uid: "uid-2" }, scene)).toMatchObject({
      ...{ outcome: "applied", uid: "uid-2" },
    });
  });
});

describe("the quarantine of a pod", () => {
  test("takes its labels first, then selects it with policies of the case's own", async () => {
    const { kubernetes, act, judge } = prepare();

    const result = await act(POD);

    expect(result.outcome).toBe("applied");
    expect(kubernetes.state.writes).toEqual(WRITES);
    expect(kubernetes.state.pods[0]?.metadata.labels).toEqual({
      [CASE_LABEL]: CASE.id,
      [MANAGED_BY_LABEL]: MANAGED_BY,
    });
    expect(kubernetes.state.policies.networkPolicies[0]).toMatchObject({
      metadata: { name: `quarantine-${CASE.id}` },
      spec: {
        podSelector: { matchLabels: { [CASE_LABEL]: CASE.id } },
        policyTypes: ["Ingress", "Egress"],
      },
    });
    expect((await judge()).verdict).toBe("contained");
  });

  test.each([
    ["a pod", POD],
    ["a namespace", NAMESPACE],
  ])(
    "of %s is only planned once the kill switch holds, and its target's case says so",
    async (_, target) => {
      const { kubernetes, store, act, judge } = prepare();

      const result = await act(target, "containment", { killSwitch: ENGAGED });

      const brakes = [
        {
          brake: "killSwitch",
          withheld: "every write of the quarantine",
          why: expect.stringContaining('was "engaged"'),
          lift: expect.stringContaining("--value released"),
        },
      ];
      expect(result).toMatchObject({ outcome: "planned", mode: "audit", brakes });
      expect(kubernetes.state.writes).toEqual([]);
      const plan = await store.read(`runs/${CASE.runId}/plan.json`);
      expect(plan?.document).toMatchObject({ mode: "audit", brakes });
      expect((await judge()).verdict).toBe("audited");
    },
  );

  test.each([
    ["a pod", POD],
    ["a namespace", NAMESPACE],
  ])(
    "of %s is only planned where its namespace is labelled, and the brake names the label",
    async (_, target) => {
      const { kubernetes, act } = prepare({ namespaceLabels: MARKED });

      const result = await act(target);

      expect(result).toMatchObject({
        outcome: "planned",
        mode: "audit",
        brakes: [
          {
            brake: "protectedLabel",
            why: expect.stringContaining("namespace payments bears eks-containment/protected=true"),
            lift: "kubectl label namespace payments eks-containment/protected-",
          },
        ],
      });
      expect(kubernetes.state.writes).toEqual([]);
    },
  );

  test("is not escaped by whoever labels the pod: it is contained, and the plan tells of the label", async () => {
    const { kubernetes, store, act } = prepare({ pods: [aPod({ metadata: { labels: MARKED } })] });

    const result = await act(POD);

    expect(result).toMatchObject({ outcome: "applied", brakes: [] });
    expect(kubernetes.state.writes).toEqual(WRITES);
    const plan = await store.read<Plan>(`runs/${CASE.runId}/plan.json`);
    expect(plan?.document.notes).toContainEqual({
      code: "notProtected",
      message: expect.stringContaining("pod checkout-1 bears eks-containment/protected=true"),
    });
  });

  test.each([
    ["a pod", POD],
    ["the namespace of a pod", NAMESPACE],
  ])(
    "of %s that is labelled is only planned where the settings let pods' labels count",
    async (_, target) => {
      const { kubernetes, act } = prepare(
        { pods: [aPod({ metadata: { labels: MARKED } })] },
        { ...PROTECTED_LABELS, on: ["pod"] },
      );

      const { mode, brakes } = await act(target);

      expect({ mode, brakes }).toMatchObject({
        mode: "audit",
        brakes: [{ brake: "protectedLabel" }],
      });
      expect(kubernetes.state.writes).toEqual([]);
    },
  );

  test("that has begun is finished by a redrive, whatever the switch says then", async () => {
    const { kubernetes, act } = prepare();
    kubernetes.state.failNextWrite = {
      write: `create NetworkPolicy quarantine-${CASE.id}`,
      error: new TransientError("KubernetesUnavailable", "gone"),
    };
    await expect(act(POD)).rejects.toThrow("gone");

    const result = await act(POD, "containment", { killSwitch: ENGAGED });

    expect(result).toMatchObject({ outcome: "applied", mode: "containment", brakes: [] });
    expect(kubernetes.state.policies.networkPolicies).toHaveLength(1);
  });

  test("is not called contained once the CNI that was found is there no more", async () => {
    const { kubernetes, act, judge } = prepare();
    await act(POD);
    kubernetes.state.daemonSets = [];

    expect(await judge()).toMatchObject({
      verdict: "partial",
      reasons: [{ code: "cniUnknown" }, { code: "establishedFlowsMaySurvive" }],
    });
  });

  test("is compared with how the pod stood before", async () => {
    const allow = { podSelector: { matchLabels: { app: "checkout" } }, ingress: [{}] };
    const { store, act, judge } = prepare({
      policies: networkPolicies(aPolicy("for-checkout", allow)),
    });

    await act(POD);
    await judge();

    const after = await store.read(`runs/${CASE.runId}/after.json`);
    expect(after?.document).toMatchObject({
      compared: { allowedBefore: ["for-checkout"], allowsNow: [] },
    });
  });

  test("keeps what it replaced before it replaces it", async () => {
    const { kubernetes, store, act } = prepare();
    kubernetes.state.failNextWrite = {
      write: "patch Pod checkout-1",
      error: new TransientError("KubernetesUnavailable", "gone"),
    };

    await expect(act(POD)).rejects.toThrow("gone");

    const plan = await store.read<Plan>(`runs/${CASE.runId}/plan.json`);
    expect(plan?.document.phases[0]?.steps[0]?.undo).toMatchObject({
      patch: [{ op: "test" }, { value: { app: "checkout", "pod-template-hash": "6d8f" } }],
    });
  });

  test.each(WRITES)(
    "goes on with the kept plan after '%s' failed, and still knows the first labels",
    async (write) => {
      const { kubernetes, store, act, judge } = prepare();
      const error = new TransientError("KubernetesUnavailable", "gone");
      kubernetes.state.failNextWrite = { write, error };
      await expect(act(POD)).rejects.toThrow("gone");
      const before = store.objects.get(`runs/${CASE.runId}/plan.json`);

      const result = await act(POD);

      expect(result.outcome).toBe("applied");
      expect(store.objects.get(`runs/${CASE.runId}/plan.json`)).toBe(before);
      expect((await judge()).verdict).toBe("contained");
    },
  );

  describe("redriven after its first write had failed", () => {
    const FIRST = "patch Pod checkout-1";
    const allowAll = aPolicy("for-all", { podSelector: {}, ingress: [{}] });

    async function redriven({
      failed = FIRST,
      minutes = 60,
      policies = networkPolicies(),
      policiesThen = policies,
      installed = [],
    }: {
      readonly failed?: string;
      readonly minutes?: number;
      readonly policies?: MemoryCluster["state"]["policies"];
      readonly policiesThen?: MemoryCluster["state"]["policies"];
      /** Kinds of policy that come with the redrive. */
      readonly installed?: MemoryCluster["state"]["policyKinds"];
    }) {
      const { kubernetes, store, act, judge, wait } = prepare({ ...VPC_CLUSTER, policies });
      const actOnVpc = () => act(POD, "containment", { network: VPC });
      const error = new TransientError("KubernetesUnavailable", "gone");
      kubernetes.state.failNextWrite = { write: failed, error };
      await expect(actOnVpc()).rejects.toThrow("gone");
      wait(minutes);
      kubernetes.state.policies = policiesThen;
      await actOnVpc();
      kubernetes.state.policyKinds = [...VPC.policyKinds, ...installed];
      wait(1); // for a controller that there is none of
      const { reasons } = await judge();
      const policy = await store.read<AppliedPolicy>(`runs/${CASE.runId}/policy.json`);
      return {
        selected: policy?.document.before?.selected.networkPolicy,
        flowsMaySurvive: reasons.some(({ code }) => code === "establishedFlowsMaySurvive"),
      };
    }

    test("an hour ago it knows how the pod stands then", async () => {
      expect(await redriven({})).toEqual({ selected: false, flowsMaySurvive: false });
    });

    test("soon it takes the plan's word for it", async () => {
      expect(await redriven({ minutes: 0 })).toEqual({
        selected: undefined,
        flowsMaySurvive: false,
      });
    });

    test.each<[string, Parameters<typeof redriven>[0], boolean | undefined]>([
      ["a policy selects the pod since", { policiesThen: networkPolicies(allowAll) }, true],
      [
        "one that selected it is gone",
        { policies: networkPolicies(allowAll), policiesThen: networkPolicies() },
        false,
      ],
      ["a kind of policies came since", { installed: ["ApplicationNetworkPolicy"] }, false],
      [
        "its labels were taken",
        { failed: `create NetworkPolicy quarantine-${CASE.id}` },
        undefined,
      ],
    ])("it is careful where %s", async (_, given, selected) => {
      expect(await redriven(given)).toEqual({ selected, flowsMaySurvive: true });
    });
  });

  test("run twice changes nothing and says the same", async () => {
    const { kubernetes, act } = prepare();
    const first = await act(POD);
    const { pods, policies } = structuredClone(kubernetes.state);

    expect(await act(POD)).toEqual(first);
    expect(kubernetes.state).toMatchObject({ pods, policies });
  });

  test("puts a policy of its own right that was changed between two attempts", async () => {
    const { kubernetes, act } = prepare();
    await act(POD);
    const [own] = kubernetes.state.policies.networkPolicies;
    if (!own) throw new Error("no policy");
    const widened = { ...own, spec: { ...own.spec, podSelector: { matchLabels: { a: "b" } } } };
    kubernetes.state.policies = { ...kubernetes.state.policies, networkPolicies: [widened] };

    await act(POD);

    expect(kubernetes.state.writes).toContain(`replace NetworkPolicy quarantine-${CASE.id}`);
    expect(kubernetes.state.policies.networkPolicies[0]?.spec).toEqual(own.spec);
  });

  test("in audit mode writes the plan and nothing else, and says what would remain open", async () => {
    const { kubernetes, act, judge } = prepare({
      policies: {
        ...networkPolicies(),
        ciliumNetworkPolicies: [
          {
            kind: "CiliumNetworkPolicy",
            metadata: { name: "strange", namespace: "payments" },
            spec: { endpointSelector: {}, ingress: [{ fromSomethingNew: [{}] }] },
          },
        ],
      },
    });

    const result = await act(POD, "audit");

    expect(result.outcome).toBe("planned");
    expect(kubernetes.state.writes).toEqual([]);
    expect(await judge()).toMatchObject({
      verdict: "audited",
      reasons: [{ code: "policyUnreadable" }],
    });
  });

  test("is not kept away by a label that anybody could have put there", async () => {
    const labels = { [CASE_LABEL]: "c-1", [MANAGED_BY_LABEL]: MANAGED_BY };
    const { kubernetes, act, judge } = prepare({ pods: [aPod({ metadata: { labels } })] });

    expect(await act(POD)).toMatchObject({ outcome: "applied" });
    expect(kubernetes.state.pods[0]?.metadata.labels?.[CASE_LABEL]).toBe(CASE.id);
    expect((await judge()).verdict).toBe("contained");
  });

  test("of a pod that is not the one is refused before any write", async () => {
    const { kubernetes, store, act } = prepare({ pods: [aPod({ metadata: { name: "other" } })] });

    expect(await act(POD)).toMatchObject({ outcome: "refused", artefacts: [] });
    expect(kubernetes.state.writes).toEqual([]);
    expect(store.objects.size).toBe(0);
  });

  test("of a pod that goes away in between makes no policy for nobody, and is judged as gone", async () => {
    const { kubernetes, act, judge } = prepare();
    const error = new TransientError("KubernetesUnavailable", "gone");
    kubernetes.state.failNextWrite = { write: "patch Pod checkout-1", error };
    await expect(act(POD)).rejects.toThrow("gone");
    kubernetes.state.pods = [];

    expect(await act(POD)).toMatchObject({ outcome: "gone", uid: "uid-1" });
    expect(kubernetes.state.policies).toEqual(networkPolicies());
    expect(await judge()).toMatchObject({ verdict: "partial", reasons: [{ code: "podGone" }] });
  });

  test("asks the API server as often for five pods as for five hundred", async () => {
    const requestsFor = async (count: number) => {
      const others = Array.from({ length: count }, (_, index) =>
        aPod({ metadata: { name: `cart-${index}`, uid: `uid-of-cart-${index}` } }),
      );
      const { kubernetes, act } = prepare({ pods: [aPod(), ...others] });
      await act(POD);
      return kubernetes.state.requests;
    };

    expect(await requestsFor(500)).toBe(await requestsFor(5));
  });
});

describe("the quarantine of a namespace", () => {
  test("is one deny-all policy for everything in it, and no label is touched", async () => {
    const { kubernetes, act, judge } = prepare();

    expect((await act(NAMESPACE)).outcome).toBe("applied");

    expect(kubernetes.state.writes).toEqual([
      "create NetworkPolicy quarantine-deny-all",
      `create CiliumNetworkPolicy quarantine-${CASE.id}`,
    ]);
    expect(kubernetes.state.policies.networkPolicies[0]).toMatchObject({
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
    const theirs = aPolicy("quarantine-deny-all", { podSelector: { matchLabels: { a: "b" } } });
    const { kubernetes, act } = prepare({
      policies: networkPolicies({ ...theirs, metadata: { ...theirs.metadata, labels } }),
    });

    const failure = act(NAMESPACE);

    await expect(failure).rejects.toMatchObject({ name: "PolicyNameTaken" });
    await expect(failure).rejects.toThrow(owner);
    expect(kubernetes.state.writes).toEqual([]);
  });

  test("leaves a policy alone that took the name between the plan and the write", async () => {
    const { kubernetes, act } = prepare();
    const error = new TransientError("KubernetesUnavailable", "gone");
    kubernetes.state.failNextWrite = { write: "create NetworkPolicy quarantine-deny-all", error };
    await expect(act(NAMESPACE)).rejects.toThrow("gone");
    const theirs = aPolicy("quarantine-deny-all", { podSelector: {}, ingress: [{}] });
    kubernetes.state.policies = networkPolicies(theirs);

    await expect(act(NAMESPACE)).rejects.toMatchObject({ name: "PolicyNameTaken" });
    expect(kubernetes.state.policies).toEqual(networkPolicies(theirs));
  });

  test("redriven after the namespace was made anew leaves the new one alone", async () => {
    const { kubernetes, act } = prepare();
    const error = new TransientError("KubernetesUnavailable", "gone");
    kubernetes.state.failNextWrite = { write: "create NetworkPolicy quarantine-deny-all", error };
    await expect(act(NAMESPACE)).rejects.toThrow("gone");
    kubernetes.namespace = async (name) => ({ metadata: { name, uid: "another" } });

    expect(await act(NAMESPACE)).toMatchObject({ outcome: "gone" });
    expect(kubernetes.state.policies).toEqual(networkPolicies());
  });

  test("in audit mode is refused, not failed, while its policy's name is taken", async () => {
    const policies = networkPolicies(aPolicy("quarantine-deny-all", { podSelector: {} }));

    expect(await prepare({ policies }).act(NAMESPACE, "audit")).toMatchObject({
      outcome: "refused",
      reason: expect.stringContaining("somebody else"),
    });
  });
});

test("a policy that went away between its listing and its suspension is no failure", async () => {
  const { kubernetes, store } = prepare();
  const allow = aPolicy("allow", { podSelector: {}, ingress: [{}] });
  kubernetes.state.policies = networkPolicies(allow);
  const read = kubernetes.policies;
  kubernetes.policies = async (...asked) => {
    const listed = await read(...asked);
    kubernetes.state.policies = networkPolicies();
    return listed;
  };
  const settings: QuarantineSettings = {
    ...SETTINGS,
    otherPolicies: { containment: "suspend", audit: "report" },
  };

  const result = await applyPolicy(
    {
      ...{ case: CASE, execution: EXECUTION, alert: ALERT, target: NAMESPACE },
      ...{ mode: "containment", network: CILIUM, ...UNBRAKED },
    },
    {
      kubernetes,
      store,
      settings,
      protectedLabels: PROTECTED_LABELS,
      now: () => new Date("2026-11-22T17:55:00.000Z"),
    },
  );

  const kept = await store.read<AppliedPolicy>(`runs/${CASE.runId}/policy.json`);
  expect(result.outcome).toBe("applied");
  expect(kept?.document.applied.at(-1)).toMatchObject({ name: "allow", outcome: "absent" });
});
