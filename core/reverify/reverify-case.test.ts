import { describe, expect, test } from "vitest";
import { killedEverywhere } from "../../test/crash-points.ts";
import { aPod, aPolicy, networkPolicies } from "../../test/memory/cluster.ts";
import {
  aContainedCase,
  anAgent,
  anExecution,
  type CaseWorld,
  lookAt,
  REPORTS,
  THE_NAMESPACE,
} from "../../test/memory/contained-case.ts";
import { memoryStore } from "../../test/memory/evidence-store.ts";
import { unpublished } from "../../test/memory/published.ts";
import { CILIUM } from "../../test/memory/quarantine-input.ts";
import { TransientError } from "../errors.ts";
import type { Pod } from "../kubernetes.ts";
import { CASE_LABEL } from "../quarantine/labels.ts";
import { type CaseLook, reverifyCase } from "./reverify-case.ts";

/** The look, which must have been one. */
function judgedIn(look: CaseLook) {
  if (!("record" in look)) throw new Error(`was not judged: ${look.looked}`);
  const { record, mayReapply } = look;
  return { ...record, mayReapply, codes: record.drift.map(({ code }) => code) };
}

function history({ store }: CaseWorld): readonly string[] {
  return [...store.objects].filter(([key]) => key.includes("/verdicts/")).map(([key]) => key);
}

/** The same evidence in a store of its own. */
function copyOf({ store }: CaseWorld) {
  const copy = memoryStore();
  for (const [key, text] of store.objects) copy.objects.set(key, text);
  return copy;
}

/** Changes the target pod in place. */
function changePod({ kubernetes: { state } }: CaseWorld, change: (pod: Pod) => Pod): void {
  state.pods = state.pods.map((pod) => (pod.metadata.uid === "uid-1" ? change(pod) : pod));
}

function withLabels(labels: Readonly<Record<string, string>>) {
  return (pod: Pod): Pod => ({ ...pod, metadata: { ...pod.metadata, labels } });
}

const caseLabels = { app: "checkout" };

/** Everything that can happen to a contained pod, with what a look at its case then says. */
const DRIFTS: readonly {
  readonly what: string;
  readonly happens: (world: CaseWorld) => void;
  readonly verdict: string;
  readonly drift: readonly string[];
}[] = [
  {
    what: "the policies are deleted",
    happens: ({ kubernetes: { state } }) => {
      state.policies = networkPolicies();
    },
    verdict: "partial",
    drift: ["policyMissing", "policyMissing"],
  },
  {
    what: "GitOps puts another spec into the policy",
    happens: ({ kubernetes: { state } }) => {
      const [policy] = state.policies.networkPolicies;
      if (!policy) throw new Error("there is no policy");
      const open = { ...policy, spec: { podSelector: {}, ingress: [{}] } };
      state.policies = { ...state.policies, networkPolicies: [open] };
    },
    verdict: "partial",
    drift: ["policyChanged"],
  },
  {
    what: "a policy of the case loses the case's label",
    happens: ({ kubernetes: { state } }) => {
      const ciliumNetworkPolicies = state.policies.ciliumNetworkPolicies.map((policy) => ({
        ...policy,
        metadata: { ...policy.metadata, labels: {} },
      }));
      state.policies = { ...state.policies, ciliumNetworkPolicies };
    },
    verdict: "partial",
    drift: ["policyMissing"],
  },
  {
    what: "somebody puts the pod's labels back",
    happens: (world) => changePod(world, withLabels(caseLabels)),
    verdict: "partial",
    drift: ["labelMissing"],
  },
  {
    what: "a Service selects the pod again",
    happens: (world) => {
      const [pod] = world.kubernetes.state.pods;
      changePod(world, withLabels({ ...pod?.metadata.labels, app: "checkout" }));
      const metadata = { name: "checkout", namespace: "payments" };
      world.kubernetes.state.services = [
        { metadata, spec: { selector: { app: "checkout" } } },
        { metadata: { ...metadata, name: "by-hand" }, spec: {} },
      ];
    },
    verdict: "contained",
    drift: ["serviceSelects"],
  },
  {
    what: "its ReplicaSet takes the pod back",
    happens: (world) =>
      changePod(world, (pod) => ({
        ...pod,
        metadata: {
          ...pod.metadata,
          ownerReferences: [
            { kind: "Workflow", name: "nightly", uid: "w", controller: true },
            { kind: "ReplicaSet", name: "checkout-6d8f", uid: "rs", controller: true },
          ],
        },
      })),
    verdict: "contained",
    drift: ["ownedAgain"],
  },
  {
    what: "the pod is deleted",
    happens: ({ kubernetes: { state } }) => {
      state.pods = [anAgent("agent-1")];
    },
    verdict: "partial",
    drift: ["podGone"],
  },
  {
    what: "the pod is replaced by one of its name",
    happens: ({ kubernetes: { state } }) => {
      state.pods = [aPod({ metadata: { uid: "uid-2" } }), anAgent("agent-1")];
    },
    verdict: "partial",
    drift: ["podGone", "podReplaced"],
  },
  {
    what: "the node is uncordoned",
    happens: ({ kubernetes: { state } }) => {
      state.nodes = state.nodes.map(({ spec, ...node }) => ({
        ...node,
        spec: { ...spec, unschedulable: false },
      }));
    },
    verdict: "contained",
    drift: ["nodeUncordoned"],
  },
  {
    what: "the node is deleted",
    happens: ({ kubernetes: { state } }) => {
      state.nodes = [];
    },
    verdict: "contained",
    drift: ["nodeGone"],
  },
  {
    what: "another node takes the node's name",
    happens: ({ kubernetes: { state } }) => {
      const [node] = state.nodes;
      if (node) state.nodes = [{ ...node, metadata: { ...node.metadata, uid: "another" } }];
    },
    verdict: "contained",
    drift: ["nodeGone"],
  },
  {
    what: "the annotations that hold autoscalers back are taken off node and pod",
    happens: (world) => {
      const bare = <T extends Pod | { readonly metadata: Pod["metadata"] }>(object: T): T => ({
        ...object,
        metadata: { ...object.metadata, annotations: {} },
      });
      const { state } = world.kubernetes;
      state.nodes = state.nodes.map(bare);
      changePod(world, bare);
    },
    verdict: "contained",
    drift: ["protectionLost", "protectionLost"],
  },
  {
    what: "the CNI's agent on the node is restarted",
    happens: ({ kubernetes: { state } }) => {
      state.pods = state.pods.map((pod) =>
        pod.metadata.uid === "agent-1" ? anAgent("agent-2") : pod,
      );
    },
    verdict: "contained",
    drift: ["agentReplaced"],
  },
  {
    what: "the CNI's agent no longer runs on the node",
    happens: ({ kubernetes: { state } }) => {
      state.pods = state.pods.filter(({ metadata }) => metadata.uid !== "agent-1");
    },
    verdict: "partial",
    drift: ["agentGone"],
  },
  {
    what: "the CNI is told to enforce nothing",
    happens: ({ kubernetes: { state } }) => {
      state.configMaps = [
        { metadata: { name: "cilium-config" }, data: { "enable-policy": "never" } },
      ];
    },
    verdict: "notEnforceable",
    drift: ["networkPolicyOff"],
  },
  {
    what: "the CNI is removed",
    happens: ({ kubernetes: { state } }) => {
      state.daemonSets = [];
      state.configMaps = [];
      state.pods = state.pods.filter(({ metadata }) => metadata.uid !== "agent-1");
    },
    verdict: "partial",
    drift: ["cniUnknown", "establishedFlowsMaySurvive"],
  },
];

describe("a look at an open case", () => {
  test("of which nothing changed says so, and is written down once and then daily", async () => {
    const world = await aContainedCase();

    const first = judgedIn(await lookAt(world));
    for (let looks = 0; looks < 12; looks++) {
      world.wait(5);
      expect(judgedIn(await lookAt(world))).toMatchObject({ why: null, news: null });
    }
    world.wait(24 * 60);
    const nextDay = judgedIn(await lookAt(world));

    expect(first).toMatchObject({ verdict: "contained", why: "first", news: null, codes: [] });
    expect(nextDay).toMatchObject({ why: "daily", news: null, number: 2 });
    expect(history(world)).toHaveLength(2);
  });

  test.each(DRIFTS)("finds that $what, and tells it once", async ({ happens, verdict, drift }) => {
    const world = await aContainedCase();
    await lookAt(world);
    happens(world);

    const look = judgedIn(await lookAt(world));
    const next = judgedIn(await lookAt(world));

    expect(look).toMatchObject({ verdict, codes: drift, why: "changed", news: "drifted" });
    expect(next.news).toBeNull();
    expect(judgedIn(await lookAt(world)).why).toBeNull();
  });

  test.each(DRIFTS)("as the first one finds that $what", async ({ what, happens, drift }) => {
    const world = await aContainedCase();
    happens(world);

    const { codes, news } = judgedIn(await lookAt(world));

    const sawNoAgentBefore = what === "the CNI's agent on the node is restarted";
    expect(codes).toEqual(sawNoAgentBefore ? [] : drift);
    expect(news).toBe(sawNoAgentBefore ? null : "drifted");
  });

  test.each(DRIFTS)("writes nothing into the cluster when $what", async ({ happens }) => {
    const world = await aContainedCase();
    happens(world);

    await lookAt(world);

    expect(world.kubernetes.state.writes).toEqual([]);
    const wrong = [...world.store.objects].flatMap(([key, text]) => unpublished(key, text) ?? []);
    expect(wrong).toEqual([]);
  });

  test("tells that the containment holds again, and of further drift while one stands", async () => {
    const world = await aContainedCase();
    const { state } = world.kubernetes;
    const policies = state.policies;
    await lookAt(world);

    state.policies = networkPolicies();
    expect(judgedIn(await lookAt(world)).news).toBe("drifted");
    const pod = state.pods;
    changePod(world, withLabels(caseLabels));
    expect(judgedIn(await lookAt(world)).news).toBe("drifted");
    state.policies = policies;
    expect(judgedIn(await lookAt(world))).toMatchObject({ news: null, why: "changed" });
    state.pods = pod;
    expect(judgedIn(await lookAt(world))).toMatchObject({ news: "holds", verdict: "contained" });
  });

  test("takes for drift only what the run's own verdict did not have", async () => {
    const allows = aPolicy("allow", { podSelector: {}, ingress: [{}] });
    const world = await aContainedCase({
      network: { ...CILIUM, cni: null, enforcing: "unknown", policyKinds: ["NetworkPolicy"] },
      cluster: {
        daemonSets: [],
        policyKinds: ["NetworkPolicy"],
        policies: networkPolicies(allows),
      },
    });

    const before = judgedIn(await lookAt(world));
    const { policies } = world.kubernetes.state;
    const other = aPolicy("allow-too", { podSelector: {}, egress: [{}] });
    world.kubernetes.state.policies = {
      ...policies,
      networkPolicies: [...policies.networkPolicies, other],
    };
    const after = judgedIn(await lookAt(world));

    expect(before).toMatchObject({ verdict: "partial", codes: [], news: null });
    expect(before.reasons.map(({ code }) => code)).toContain("otherPolicyAllows");
    expect(after).toMatchObject({ codes: ["otherPolicyAllows"], news: "drifted" });
  });

  test("finds that a contained namespace was deleted, or made anew", async () => {
    const world = await aContainedCase({ target: THE_NAMESPACE });
    world.kubernetes.state.namespaces = [];

    expect(judgedIn(await lookAt(world)).codes).toContain("namespaceGone");
  });

  test("is none while the run goes on, nor once the case was released", async () => {
    const running = await aContainedCase({ sealed: false });
    const released = await aContainedCase();
    await released.release();

    expect(await lookAt(running)).toEqual({ looked: "running" });
    expect(await lookAt(released)).toEqual({ looked: "closed" });
    expect(history(running)).toEqual([]);
  });

  test("is none of a case that a brake turned into an audit and that is about to be closed", async () => {
    const world = await aContainedCase();
    for (const [key, text] of world.store.objects) {
      if (!key.endsWith("/plan.json")) continue;
      world.store.objects.set(key, JSON.stringify({ ...JSON.parse(text), mode: "audit" }));
    }

    expect(await lookAt(world)).toEqual({ looked: "closed" });
  });

  test("gives a run that ended without a verdict one, and tells it", async () => {
    const holds = await aContainedCase({ readBack: false });
    const drifted = await aContainedCase({ readBack: false });
    drifted.kubernetes.state.policies = networkPolicies();

    expect(judgedIn(await lookAt(holds))).toMatchObject({ verdict: "contained", news: "holds" });
    expect(judgedIn(await lookAt(drifted))).toMatchObject({ verdict: "partial", news: "drifted" });
  });
});

describe("a cluster that cannot be looked at", () => {
  test("is tried again, and then written down as not verified, without taking drift back", async () => {
    const world = await aContainedCase();
    const { state } = world.kubernetes;
    state.policies = networkPolicies();
    await lookAt(world);
    state.unreadable = ["services"];

    await expect(lookAt(world)).rejects.toThrow(TransientError);
    const look = await lookAt(world, { attempt: 3 });
    state.unreadable = [];
    const later = judgedIn(await lookAt(world));

    expect(look.looked).toBe("notVerified");
    expect(judgedIn(look)).toMatchObject({ verdict: "unverified", news: null, why: "changed" });
    expect(judgedIn(look).codes).toEqual(["policyMissing", "policyMissing"]);
    expect(later).toMatchObject({ verdict: "partial", news: null });
  });

  test("or a plan that is gone is no reason to fail: other cases are waiting", async () => {
    const world = await aContainedCase();
    for (const key of world.store.objects.keys()) {
      if (key.endsWith("/plan.json")) world.store.objects.delete(key);
    }

    expect(judgedIn(await lookAt(world))).toMatchObject({ verdict: "unverified" });
  });
});

describe("looks that are repeated", () => {
  test("by the same execution answer alike and write once; another one tells nothing", async () => {
    const world = await aContainedCase();
    world.kubernetes.state.policies = networkPolicies();
    const execution = anExecution("one");

    const first = await lookAt(world, { execution });
    world.wait(1);
    const again = await lookAt(world, { execution });
    const other = judgedIn(await lookAt(world));

    expect(again).toEqual(first);
    expect(judgedIn(first).news).toBe("drifted");
    expect(other.news).toBeNull();
    expect(history(world)).toHaveLength(1);
  });

  test("of two at one moment one writes and tells", async () => {
    const world = await aContainedCase();
    world.kubernetes.state.policies = networkPolicies();

    const looks = await Promise.all([lookAt(world), lookAt(world), lookAt(world)]);

    expect(looks.map((look) => judgedIn(look).news).toSorted()).toEqual(["drifted", null, null]);
    expect(history(world)).toHaveLength(1);
  });

  test("wherever it is killed it ends with one record, and tells what it found", async () => {
    const drifted = await aContainedCase();
    drifted.kubernetes.state.policies = networkPolicies();
    // What it reads of the cluster changes nothing: it dies between its reads and writes of evidence.
    const { kubernetes, now, marker } = drifted;
    const execution = anExecution("killed");
    const input = { marker, reapplied: null, mend: "scheduled", attempt: 0, execution } as const;

    const calls = await killedEverywhere(
      () => {
        const store = copyOf(drifted);
        return { ...drifted, store, ports: { store } };
      },
      ({ store }) => reverifyCase(input, { kubernetes, store, now, settings: REPORTS }),
      async (world, look, killed) => {
        expect(judgedIn(look).news, killed).toBe("drifted");
        expect(history(world), killed).toHaveLength(1);
      },
    );

    expect(calls).toContain("store.putOnce");
  });
});

test("the case's label is what is missed when labels are put back", async () => {
  const world = await aContainedCase();
  changePod(world, withLabels({ ...caseLabels, [CASE_LABEL]: "c-another" }));

  expect(judgedIn(await lookAt(world)).codes).toEqual(["labelMissing"]);
});
