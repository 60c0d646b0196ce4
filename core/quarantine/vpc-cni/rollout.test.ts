import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PolicyName } from "../../policies.ts";
import { type SeenPod, seenPod } from "../seen-pod.ts";
import { selects } from "../selector.ts";
import { podIdentifier } from "./identifier.ts";
import { type Cluster, clusterOf, type Event, happen, opens, passes, wait } from "./model.ts";
import {
  type FlowOutlook,
  type QuarantineFacts,
  quarantineOutlook,
  siblingsOf,
} from "./outlook.ts";
import { allows, type Grant, type ModelPolicy } from "./published.ts";
import type { Peer } from "./traffic.ts";

/*
 * The product's two orders for a pod of a Deployment, carried out in the model on one to three nodes
 * while siblings, the replacement of the old hash, new pods and strangers come and go; and then
 * whatever may happen later without making the facts untrue.
 */

const Q = "shop-7f9c-q";
const APP = { app: "shop" };
const CASE = { case: "c-1" };

const networkPolicy = (
  name: string,
  matchLabels: Record<string, string>,
  [ingress, egress]: readonly [Grant, Grant],
): ModelPolicy => ({ kind: "NetworkPolicy", name, selector: { matchLabels }, ingress, egress });
const POLICIES: readonly ModelPolicy[] = [
  networkPolicy("allow", APP, ["everyone", "everyone"]),
  networkPolicy("allow-in", APP, ["everyone", null]),
  networkPolicy("allow-pods", APP, ["pods", "pods"]),
  networkPolicy("deny-in", APP, ["nobody", null]),
];
const DEFAULT_DENY = networkPolicy("default-deny", {}, ["nobody", "nobody"]);
const ALLOW_ALL = networkPolicy("allow-all", {}, ["everyone", "everyone"]);
const DENY = networkPolicy("ours", CASE, ["nobody", "nobody"]);
const CLUSTER_DENY: ModelPolicy = {
  kind: "ClusterNetworkPolicy",
  name: "ours",
  selector: { matchLabels: CASE },
};

const PEERS: readonly Peer[] = [{ kind: "pod", name: "client" }, { kind: "outside" }];
const DIRECTIONS = ["ingress", "egress"] as const;

type Kind = "sibling" | "successor" | "stranger";
type Happening =
  | { readonly act: "start"; readonly kind: Kind; readonly index: number; readonly node: string }
  | { readonly act: "stop"; readonly kind: Kind; readonly index: number }
  | { readonly act: "resync" | "restart"; readonly node: string }
  | { readonly act: "wait"; readonly ms: number };

function nameOf(kind: Kind, index: number): string {
  return { sibling: "shop-7f9c-s", successor: "shop-5d2a-n", stranger: "stranger" }[kind] + index;
}

const node = fc.constantFrom("a", "b", "c");
const index = fc.nat({ max: 2 });
const ms = fc.constantFrom(0, 20, 300, 700, 1000, 1010, 1040, 1100, 2500);
const pause = fc.record({ act: fc.constant("wait" as const), ms });
const happenings = (
  kinds: readonly Kind[],
  agents: readonly ("resync" | "restart")[],
  maxLength: number,
): fc.Arbitrary<readonly Happening[]> => {
  const kind = fc.constantFrom(...kinds);
  const starts = fc.record({ act: fc.constant("start" as const), kind, index, node });
  const stops = fc.record({ act: fc.constant("stop" as const), kind, index });
  const doings = agents.map((act) => fc.record({ act: fc.constant(act), node }));
  return fc.array(fc.oneof(starts, stops, pause, pause, ...doings), { maxLength });
};
const EVERYBODY: readonly Kind[] = ["sibling", "sibling", "successor", "stranger"];

interface Situation {
  readonly nodes: number;
  readonly policies: readonly ModelPolicy[];
  readonly before: readonly Happening[];
  readonly gapMs: number;
  readonly rollout: readonly Happening[];
  /** In which order the last siblings leave, and how long each takes. */
  readonly leaving: readonly { readonly index: number; readonly ms: number }[];
  readonly later: readonly Happening[];
}

const situations = (agents: readonly ("resync" | "restart")[], selecting: readonly ModelPolicy[]) =>
  fc.record<Situation>({
    nodes: fc.integer({ min: 1, max: 3 }),
    policies: fc.subarray([...POLICIES, ...selecting], { minLength: 1 }),
    before: happenings(EVERYBODY, [], 8),
    gapMs: fc.constantFrom(0, 20, 300, 900),
    rollout: happenings(EVERYBODY, agents, 12),
    leaving: fc
      .tuple(fc.shuffledSubarray([0, 1, 2], { minLength: 3 }), fc.tuple(ms, ms, ms))
      .map(([order, times]) => order.map((each, at) => ({ index: each, ms: times[at] ?? 0 }))),
    later: happenings(["successor", "stranger"], agents, 10),
  });

function goesOn(cluster: Cluster, nodes: number, happening: Happening): Cluster {
  const place = (name: string) => (["a", "b", "c"].indexOf(name) < nodes ? name : "a");
  switch (happening.act) {
    case "wait":
      return wait(cluster, happening.ms);
    case "resync":
      return happen(cluster, { event: "agentResynced", node: place(happening.node) });
    case "restart":
      return happen(cluster, { event: "agentRestarted", node: place(happening.node) });
    case "start": {
      const name = nameOf(happening.kind, happening.index);
      if (cluster.pods.has(name)) return cluster;
      const labels = happening.kind === "stranger" ? {} : APP;
      const pod = { name, labels, node: place(happening.node) };
      return happen(cluster, { event: "podCreated", pod });
    }
    case "stop": {
      const name = nameOf(happening.kind, happening.index);
      return cluster.pods.has(name) ? happen(cluster, { event: "podDeleted", name }) : cluster;
    }
  }
}

const FLOWS: readonly Event[] = PEERS.flatMap((peer) =>
  DIRECTIONS.flatMap((opened) =>
    (["active", "idle"] as const).map((activity): Event => {
      const name = `${activity} ${peer.kind} ${opened}`;
      return { event: "flowOpened", flow: { name, pod: Q, peer, opened, activity } };
    }),
  ),
);

const created = (policy: ModelPolicy): Event => ({ event: "policyCreated", policy });

/** Until the siblings are gone and unlisted, which is what `completePolicy` waits for. */
function siblingsGone(situation: Situation, order: "clean" | "fast"): Cluster {
  const { nodes, policies, before, gapMs, rollout, leaving } = situation;
  const go = (cluster: Cluster, all: readonly Happening[]) =>
    all.reduce((each, happening) => goesOn(each, nodes, happening), cluster);
  const initial = happen(
    clusterOf(["a", "b", "c"].slice(0, nodes)),
    { event: "podCreated", pod: { name: Q, node: "a", labels: APP } },
    { event: "podCreated", pod: { name: "client", node: "a", labels: {} } },
    ...policies.map(created),
  );
  const standing = happen(wait(go(initial, before), 20), ...FLOWS);
  const stripped = happen(standing, { event: "labelsReplaced", name: Q, labels: CASE });
  const first = [created(DENY), ...(order === "fast" ? [created(CLUSTER_DENY)] : [])];
  let cluster = go(happen(wait(stripped, gapMs), ...first), rollout);
  for (const { index: each, ms: after } of leaving) {
    cluster = wait(goesOn(cluster, nodes, { act: "stop", kind: "sibling", index: each }), after);
  }
  while (listsSiblings(cluster)) cluster = wait(cluster, 1000);
  return wait(cluster, 1000); // a second look, a second later, must agree
}

function listsSiblings({ published }: Cluster): boolean {
  return [...published.values()].some(({ pods }) =>
    pods.some(({ name }) => name !== Q && podIdentifier(name) === podIdentifier(Q)),
  );
}

function quarantined(cluster: Cluster, order: "clean" | "fast"): Cluster {
  if (order === "clean") return wait(happen(cluster, created(CLUSTER_DENY)), 1000);
  const deleted: Event = { event: "policyDeleted", kind: "ClusterNetworkPolicy", name: "ours" };
  const lifted = wait(happen(cluster, deleted), 1100);
  return wait(happen(lifted, created(CLUSTER_DENY)), 1000);
}

const named = ({ kind, name }: ModelPolicy): PolicyName => ({ kind, namespace: null, name });

/** As the product reads them once the order is through. */
function factsOf(
  { pods, policies }: Cluster,
  order: "clean" | "fast",
  agentStartedSince: boolean,
): QuarantineFacts {
  const seen = [...pods.values()].map(
    ({ name, node: nodeName, labels }): SeenPod =>
      seenPod({
        metadata: { name, namespace: "shop", labels: { ...labels } },
        spec: { containers: [], nodeName },
      }),
  );
  const pod = seen.find(({ name }) => name === Q);
  if (!pod) throw new Error("the quarantined pod is gone");
  const others = [...policies.values()]
    .map(({ policy }) => policy)
    .filter(({ name }) => name !== "ours");
  return {
    pod,
    siblings: siblingsOf(pod, seen),
    allowing: ({ labels }) =>
      others.filter((each) => allows(each) && selects(each.selector, labels)).map(named),
    allowedElsewhere: agentStartedSince ? [] : others.filter(allows).map(named),
    selectedByOthers: others.some(({ selector }) => selects(selector, CASE)),
    deniedInTime: true,
    pairBefore: { networkPolicy: true, clusterNetworkPolicy: false },
    ours: {
      networkPolicy: true,
      clusterPolicy: order === "clean" ? "onceClosed" : "againOnceClosed",
    },
  };
}

function holds(cluster: Cluster, said: FlowOutlook): void {
  for (const peer of PEERS) {
    for (const direction of DIRECTIONS) {
      const fromOutside = peer.kind === "outside" && direction === "ingress";
      const outlook = fromOutside ? said.outsideIngress : said.otherNewFlows;
      if (outlook === "cut") expect(opens(cluster, Q, peer, direction)).toBe(false);
    }
  }
  const { establishedFlows } = said;
  const spared = establishedFlows.state === "cut" ? "none" : establishedFlows.which;
  const alive = [...cluster.flows.values()]
    .filter(({ activity }) => spared === "none" || (spared === "idle" && activity === "active"))
    .filter(({ name }) => passes(cluster, name));
  expect(alive).toEqual([]);
}

describe.each(["clean", "fast"] as const)("a Deployment's pod after the %s order", (order) => {
  const RUNS = { numRuns: 3000 };
  const idle = { state: "mayBeOpen", which: "idle", why: "idleWhileRepaired" };
  const cut: unknown = {
    outsideIngress: "cut",
    otherNewFlows: "cut",
    establishedFlows: order === "clean" ? { state: "cut" } : idle,
  };
  const holdsThroughout = (after: Cluster, { nodes, later }: Situation, said: FlowOutlook) => {
    let cluster = after;
    holds(cluster, said);
    for (const happening of later) {
      cluster = goesOn(cluster, nodes, happening);
      holds(cluster, said);
    }
    holds(wait(cluster, 5000), said);
  };

  test("is closed until its node's agent resyncs when no policy of others selects it", () => {
    fc.assert(
      fc.property(situations([], []), (situation) => {
        const after = quarantined(siblingsGone(situation, order), order);
        const { untilResync } = quarantineOutlook(factsOf(after, order, false));

        if (situation.policies.filter(allows).length <= 1) expect(untilResync).toEqual(cut);
        holdsThroughout(after, situation, untilResync);
      }),
      RUNS,
    );
  });

  test("is promised nothing while a sibling comes to its node and goes under several policies", () => {
    const situation: Situation = {
      nodes: 2,
      policies: POLICIES.filter(({ name }) => name !== "allow"),
      before: [
        { act: "start", kind: "stranger", index: 0, node: "a" },
        { act: "start", kind: "sibling", index: 0, node: "b" },
      ],
      gapMs: 0,
      rollout: [
        { act: "wait", ms: 1010 },
        { act: "start", kind: "successor", index: 0, node: "a" },
        { act: "wait", ms: 2500 },
        { act: "stop", kind: "stranger", index: 0 },
        { act: "wait", ms: 20 },
        { act: "start", kind: "sibling", index: 1, node: "a" },
        { act: "wait", ms: 1000 },
      ],
      leaving: [2, 1, 0].map((each) => ({ index: each, ms: 0 })),
      later: [],
    };
    const after = quarantined(siblingsGone(situation, order), order);

    const open = PEERS.flatMap((peer) => DIRECTIONS.filter((way) => opens(after, Q, peer, way)));
    expect(open).not.toEqual([]);
    const { untilResync } = quarantineOutlook(factsOf(after, order, false));
    expect(untilResync.outsideIngress).toBe("mayBeOpen");
  });

  test("is closed for good when that agent restarted in between, though others deny it too", () => {
    fc.assert(
      fc.property(situations(["resync", "restart"], [DEFAULT_DENY]), (situation) => {
        const gone = siblingsGone(situation, order);
        const restarted = happen(gone, { event: "agentRestarted", node: "a" });
        const after = quarantined(wait(restarted, 1000), order);
        const outlook = quarantineOutlook(factsOf(after, order, true));

        expect(outlook).toMatchObject(cut as object);
        holdsThroughout(after, situation, outlook);
      }),
      RUNS,
    );
  });

  test("is promised nothing of ingress from outside under a policy that allows every pod", () => {
    for (const policy of [ALLOW_ALL, DEFAULT_DENY]) {
      fc.assert(
        fc.property(situations(["resync", "restart"], []), (drawn) => {
          const situation = { ...drawn, policies: [...drawn.policies, policy] };
          const after = quarantined(siblingsGone(situation, order), order);
          const outlook = quarantineOutlook(factsOf(after, order, policy === ALLOW_ALL));
          const promised = policy === ALLOW_ALL || situation.policies.some(allows);

          if (promised) {
            expect(outlook.outsideIngress).toBe("mayBeOpen");
            expect(outlook.untilResync.outsideIngress).toBe("mayBeOpen");
          }
        }),
        { numRuns: 100 },
      );
    }
  });
});
