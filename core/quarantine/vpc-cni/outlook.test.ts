import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PolicyName } from "../../policies.ts";
import { type SeenPod, seenPod } from "../seen-pod.ts";
import { selects } from "../selector.ts";
import { podIdentifier } from "./identifier.ts";
import {
  type Cluster,
  clusterOf,
  type Event,
  happen,
  opens,
  POD_BATCH_MS,
  passes,
  wait,
} from "./model.ts";
import {
  type FlowOutlook,
  type OurClusterPolicy,
  type QuarantineFacts,
  type QuarantineOutlook,
  quarantineOutlook,
  siblingsOf,
} from "./outlook.ts";
import { allows, type Grant, type ModelPolicy } from "./published.ts";
import type { Direction, Peer } from "./traffic.ts";

const Q = "shop-7f9c-q";
const ALLOW: PolicyName = { kind: "NetworkPolicy", namespace: "shop", name: "allow" };
const ACCEPT: PolicyName = { kind: "ClusterNetworkPolicy", namespace: null, name: "accept" };

function seen(
  name: string,
  {
    node,
    labels = {},
    ...rest
  }: { node?: string; labels?: Record<string, string> } & {
    phase?: string;
    hostNetwork?: boolean;
    namespace?: string;
  } = {},
): SeenPod {
  return seenPod({
    metadata: { name, namespace: rest.namespace ?? "shop", labels },
    spec: {
      containers: [],
      ...(node === undefined ? {} : { nodeName: node }),
      hostNetwork: rest.hostNetwork ?? false,
    },
    status: { phase: rest.phase ?? "Running" },
  });
}

describe("siblings", () => {
  const pod = seen(Q, { node: "a" });
  const among = (...others: SeenPod[]) =>
    siblingsOf(pod, [pod, ...others]).map((each) => [each.pod.name, each.sameNode]);

  test("are the pods of the identifier, each with whether it is on the pod's node", () => {
    const found = among(
      seen("shop-7f9c-s", { node: "a" }),
      seen("shop-7f9c-t", { node: "b" }),
      seen("shop-7f9c-u"),
      seen("shop-5d2a-n", { node: "a" }),
    );

    expect(found).toEqual([
      ["shop-7f9c-s", true],
      ["shop-7f9c-t", false],
      ["shop-7f9c-u", "unknown"],
    ]);
  });

  test("are on an unknown node while the pod itself is not scheduled", () => {
    const [sibling] = siblingsOf(seen(Q), [seen("shop-7f9c-s", { node: "a" })]);

    expect(sibling?.sameNode).toBe("unknown");
  });

  test("are not those that ended, that no policy covers, or of another namespace", () => {
    const found = among(
      seen("shop-7f9c-s", { phase: "Succeeded" }),
      seen("shop-7f9c-t", { phase: "Failed" }),
      seen("shop-7f9c-u", { hostNetwork: true }),
      seen("shop-7f9c-v", { namespace: "other" }),
    );

    expect(found).toEqual([]);
  });
});

describe("the outlook of a quarantined pod", () => {
  const pod = seen(Q, { node: "a" });
  const local = { pod: seen("shop-7f9c-s", { node: "a" }), sameNode: true } as const;
  const elsewhere = { pod: seen("shop-7f9c-t", { node: "b" }), sameNode: false } as const;
  const unscheduled = { pod: seen("shop-7f9c-u"), sameNode: "unknown" } as const;
  const ours = (clusterPolicy: OurClusterPolicy = "none", networkPolicy = true) => ({
    ours: { networkPolicy, clusterPolicy },
  });
  const pair = (networkPolicy: boolean | null, clusterNetworkPolicy: boolean | null = false) => ({
    pairBefore: { networkPolicy, clusterNetworkPolicy },
  });
  const outlook = (facts: Partial<QuarantineFacts> = {}): QuarantineOutlook =>
    quarantineOutlook({
      pod,
      siblings: [],
      allowing: () => [],
      allowedElsewhere: [],
      selectedByOthers: null,
      deniedInTime: null,
      ...pair(true),
      ...ours(),
      ...facts,
    });
  const allowing = (name: string, policy = ALLOW) => ({
    allowing: (each: SeenPod) => (each.name === name ? [policy] : []),
  });

  test("is closed to new flows when nothing but our deny is loaded or remembered", () => {
    const { outsideIngress, otherNewFlows, openThrough } = outlook();

    expect({ outsideIngress, otherNewFlows }).toEqual({
      outsideIngress: "cut",
      otherNewFlows: "cut",
    });
    expect(openThrough).toEqual([]);
  });

  test.each([
    ["itself", Q, []],
    ["a sibling beside it", "shop-7f9c-s", [local]],
    ["a sibling elsewhere", "shop-7f9c-t", [elsewhere]],
    ["a sibling not scheduled yet", "shop-7f9c-u", [unscheduled]],
  ])("may be open through an allowing policy on %s, which is named", (_, name, siblings) => {
    const found = outlook({ siblings, ...allowing(name) });

    expect(found.openThrough).toMatchObject([{ pod: name, policies: [ALLOW] }]);
    expect(found.outsideIngress).toBe("mayBeOpen");
    expect(found.otherNewFlows).toBe("mayBeOpen");
    expect(found.establishedFlows).toMatchObject({ why: "newFlowsMayBeOpen" });
  });

  test("may be open through a policy that its node remembers of a sibling long gone, or may", () => {
    for (const allowedElsewhere of [[ALLOW], null]) {
      const found = outlook({ allowedElsewhere });

      expect(found.outsideIngress).toBe("mayBeOpen");
      expect(found.openOnceReloaded).toEqual(allowedElsewhere);
    }
  });

  describe("whose node remembers an allowing policy that it never loaded", () => {
    const remembering = (facts: Partial<QuarantineFacts> = {}) =>
      outlook({
        allowedElsewhere: [ALLOW],
        selectedByOthers: false,
        deniedInTime: true,
        ...ours("onceClosed"),
        ...facts,
      });

    test("is closed until the agent takes up everything anew, and no longer", () => {
      const { untilResync, outsideIngress, establishedFlows } = remembering();

      expect(untilResync).toEqual({
        outsideIngress: "cut",
        otherNewFlows: "cut",
        establishedFlows: { state: "cut" },
      });
      expect(outsideIngress).toBe("mayBeOpen");
      expect(establishedFlows).toMatchObject({ why: "newFlowsMayBeOpen" });
    });

    test.each<[string, Partial<QuarantineFacts>]>([
      ["another policy selects it", { selectedByOthers: true }],
      ["it is not known whether one does", { selectedByOthers: null }],
      ["our NetworkPolicy came late", { deniedInTime: false }],
      ["it is not known when it came", { deniedInTime: null }],
      ["our NetworkPolicy is not there", ours("onceClosed", false)],
      ["a sibling is left", { siblings: [elsewhere] }],
      ["it is not known what is remembered", { allowedElsewhere: null }],
      ["a ClusterNetworkPolicy that accepts is remembered", { allowedElsewhere: [ACCEPT] }],
    ])("is promised nothing even until then when %s", (_, facts) => {
      expect(remembering(facts).untilResync.outsideIngress).toBe("mayBeOpen");
    });
  });

  test("is open to nobody but the outside once our ClusterNetworkPolicy stands", () => {
    const found = outlook({ siblings: [local], ...allowing("shop-7f9c-s"), ...ours("whileOpen") });

    expect(found.otherNewFlows).toBe("cut");
    expect(found.outsideIngress).toBe("mayBeOpen");
  });

  test("promises nothing when another ClusterNetworkPolicy may accept first", () => {
    expect(outlook({ ...allowing(Q, ACCEPT), ...ours("onceClosed") }).otherNewFlows).toBe(
      "mayBeOpen",
    );
  });

  test("promises nothing of ingress from outside without our NetworkPolicy", () => {
    expect(outlook(ours("onceClosed", false)).outsideIngress).toBe("mayBeOpen");
  });

  test.each([
    ["no NetworkPolicy had selected it or a sibling", pair(false), ours(), "cut"],
    ["the same, and nothing is known of the other kind", pair(false, null), ours(), "cut"],
    ["our ClusterNetworkPolicy came once it was closed", pair(true), ours("onceClosed"), "cut"],
    ["one NetworkPolicy followed another", pair(true), ours(), "any neverJudgedAgain"],
    ["it is not known what was before", pair(null), ours(), "any neverJudgedAgain"],
    [
      "another ClusterNetworkPolicy was there before ours",
      pair(true, true),
      ours("onceClosed"),
      "any neverJudgedAgain",
    ],
    [
      "our ClusterNetworkPolicy came too early",
      pair(true),
      ours("whileOpen"),
      "any judgedWhileOpen",
    ],
    ["that was repaired", pair(true), ours("againOnceClosed"), "idle idleWhileRepaired"],
  ])(
    "says of established flows, when %s, what the pair makes of them",
    (_, before, placed, said) => {
      const { establishedFlows } = outlook({ ...before, ...placed });

      expect(
        establishedFlows.state === "cut"
          ? "cut"
          : `${establishedFlows.which} ${establishedFlows.why}`,
      ).toBe(said);
    },
  );

  test("names the siblings that are cut with it, and those that would be if they started now", () => {
    const found = outlook({ siblings: [local, elsewhere, unscheduled] });

    expect(found.cutTogether).toEqual(["shop-7f9c-s", "shop-7f9c-u"]);
    expect(found.cutIfStartedSince).toEqual(["shop-7f9c-t"]);
  });
});

/*
 * The outlook against the model: random small situations, carried out in the model and watched by
 * someone who sees every object but nothing of the nodes.
 */

const APP = { app: "shop" };
const CASE = { case: "c-1" };
const OTHER_POLICIES: readonly ModelPolicy[] = [
  ...(
    [
      ["allow", "everyone", "everyone"],
      ["allow-in", "everyone", null],
      ["allow-out", null, "everyone"],
      ["allow-pods", "pods", "pods"],
      ["deny-in", "nobody", null],
    ] satisfies [string, Grant, Grant][]
  ).map(([name, ingress, egress]) => ({
    kind: "NetworkPolicy" as const,
    name,
    selector: { matchLabels: APP },
    ingress,
    egress,
  })),
  {
    kind: "NetworkPolicy",
    name: "default-deny",
    selector: {},
    ingress: "nobody",
    egress: "nobody",
  },
  { kind: "ClusterNetworkPolicy", name: "older", selector: { matchLabels: APP } },
];
const OURS: readonly ModelPolicy[] = [
  {
    kind: "NetworkPolicy",
    name: "ours",
    selector: { matchLabels: CASE },
    ingress: "nobody",
    egress: "nobody",
  },
  { kind: "ClusterNetworkPolicy", name: "ours", selector: { matchLabels: CASE } },
];

type Act =
  | { readonly act: "label"; readonly keep: boolean }
  | { readonly act: "deny" | "clusterDeny" | "clusterDenyDeleted" | "connect" }
  | { readonly act: "start"; readonly name: string; readonly node: string; readonly app: boolean }
  | { readonly act: "stop"; readonly name: string }
  | { readonly act: "policy" | "policyDeleted"; readonly index: number }
  | { readonly act: "agentResynced" | "agentRestarted"; readonly node: string }
  | { readonly act: "wait"; readonly ms: number };

const siblingName = fc.constantFrom("shop-7f9c-s", "shop-7f9c-t");
const start = fc.record({
  act: fc.constant("start" as const),
  name: fc.oneof(siblingName, siblingName, fc.constantFrom("shop-5d2a-n", "stranger")),
  node: fc.constantFrom("a", "b"),
  app: fc.boolean(),
});
const stop = fc.record({ act: fc.constant("stop" as const), name: siblingName });
const pause = fc.record({
  act: fc.constant("wait" as const),
  ms: fc.constantFrom(20, 300, 1100, 2500, 2500),
});
const policyIndex = fc.nat({ max: OTHER_POLICIES.length - 1 });
const policyAct = fc.record({ act: fc.constant("policy" as const), index: policyIndex });
const policyDeleted = fc.record({
  act: fc.constant("policyDeleted" as const),
  index: policyIndex,
});
const plain = (act: "deny" | "clusterDeny" | "clusterDenyDeleted" | "connect") =>
  fc.constant({ act } as const);
const connect = plain("connect");
const agentAct = (...acts: readonly ("agentResynced" | "agentRestarted")[]) =>
  fc.record({ act: fc.constantFrom(...acts), node: fc.constantFrom("a", "a", "b") });
const label = fc.record({ act: fc.constant("label" as const), keep: fc.constant(false) });
const keepingLabel = fc.record({ act: fc.constant("label" as const), keep: fc.boolean() });

/** Policies of others change before the quarantine only: the outlook's premise. */
const before: fc.Arbitrary<readonly Act[]> = fc.array(
  fc.oneof(start, stop, policyAct, policyDeleted, pause),
  { maxLength: 6 },
);
/** In this order, each wherever it comes to lie among what else goes on. */
function scattered(ours: readonly Act[], acts: readonly Act[]): fc.Arbitrary<readonly Act[]> {
  return fc
    .array(fc.nat({ max: acts.length }), { minLength: ours.length, maxLength: ours.length })
    .map((places) =>
      places
        .toSorted((a, b) => b - a)
        .reduce<readonly Act[]>(
          (all, place, index) => all.toSpliced(place, 0, ...ours.slice(-1 - index).slice(0, 1)),
          acts,
        ),
    );
}
const ORDERS: readonly (readonly Act[])[] = (
  [
    ["deny"],
    ["deny", "clusterDeny"],
    ["clusterDeny", "deny"],
    ["deny", "clusterDeny", "clusterDenyDeleted", "clusterDeny"],
  ] as const
).map((order) => order.map((act) => ({ act })));
/** What goes on, with these doings of the agents among it. */
function duringWith(agents: fc.Arbitrary<Act>): fc.Arbitrary<readonly Act[]> {
  const often = fc.oneof(agents, pause, pause);
  return fc.oneof(
    // Orders that make sense, with life going on in between,
    {
      weight: 3,
      arbitrary: fc
        .tuple(
          label,
          pause,
          connect,
          stop,
          often,
          stop,
          pause,
          fc.oneof(start, pause),
          connect,
          often,
          stop,
          pause,
          often,
        )
        .chain((acts) => fc.constantFrom(...ORDERS).chain((order) => scattered(order, acts))),
    },
    // and any order at all.
    {
      weight: 1,
      arbitrary: fc.array(
        fc.oneof(
          keepingLabel,
          plain("deny"),
          plain("clusterDeny"),
          plain("clusterDenyDeleted"),
          connect,
          start,
          stop,
          pause,
          pause,
          agents,
        ),
        { maxLength: 14 },
      ),
    },
  );
}
const during = duringWith(agentAct("agentResynced", "agentRestarted"));

interface Watched {
  readonly cluster: Cluster;
  readonly everElsewhere: ReadonlySet<string>;
  readonly everSelecting: ReadonlySet<string>;
  readonly clusterPolicy: OurClusterPolicy;
  readonly clusterPolicyEver: boolean;
  /** The pod's agent started while our ClusterNetworkPolicy was deleted. */
  readonly missedDeletion: boolean;
  /** When the pod's labels were replaced last, and what selected it until then. */
  readonly labelled: { readonly atMs: number; readonly selecting: ReadonlySet<string> } | null;
  readonly selectedSince: boolean;
  readonly deniedAtMs: number | null;
  /** Which of the two judgements is watched. */
  readonly judge: (outlook: QuarantineOutlook) => FlowOutlook;
}

const FOR_GOOD = (outlook: QuarantineOutlook): FlowOutlook => outlook;
const UNTIL_RESYNC = ({ untilResync }: QuarantineOutlook): FlowOutlook => untilResync;

function judged(watched: Watched): FlowOutlook {
  return watched.judge(quarantineOutlook(factsOf(watched)));
}

function isOurs(policy: ModelPolicy): boolean {
  return policy.name === "ours";
}

function factsOf(watched: Watched): QuarantineFacts {
  const { cluster } = watched;
  const pods = [...cluster.pods.values()].map(({ name, node, labels }) =>
    seen(name, { node, labels: { ...labels } }),
  );
  const pod = pods.find(({ name }) => name === Q);
  if (!pod) throw new Error("the quarantined pod is gone");
  const others = [...cluster.policies.values()].filter(({ policy }) => !isOurs(policy));
  const named = ({ kind, name }: ModelPolicy): PolicyName => ({ kind, namespace: null, name });
  const ever = (kind: string) => [...watched.everSelecting].some((id) => id.startsWith(`${kind}/`));
  const ours = cluster.policies.get("NetworkPolicy/ours");
  const elsewhere = others.filter(
    ({ policy, id }) => allows(policy) && watched.everElsewhere.has(id),
  );
  const { labelled, deniedAtMs } = watched;
  return {
    pod,
    siblings: siblingsOf(pod, pods),
    allowing: ({ labels }) =>
      others
        .filter(({ policy }) => allows(policy) && selects(policy.selector, labels))
        .map(({ policy }) => named(policy)),
    allowedElsewhere: elsewhere.map(({ policy }) => named(policy)),
    selectedByOthers: watched.selectedSince,
    deniedInTime:
      labelled !== null &&
      deniedAtMs !== null &&
      deniedAtMs >= labelled.atMs &&
      deniedAtMs < labelled.atMs + POD_BATCH_MS &&
      elsewhere.every(({ id }) => labelled.selecting.has(id)),
    pairBefore: {
      networkPolicy: ever("NetworkPolicy"),
      clusterNetworkPolicy: ever("ClusterNetworkPolicy"),
    },
    ours: {
      networkPolicy: ours !== undefined && selects(ours.policy.selector, pod.labels),
      clusterPolicy: selects({ matchLabels: CASE }, pod.labels) ? watched.clusterPolicy : "none",
    },
  };
}

/** Remembers, as an observer of all objects would, who was ever selected where. */
function watch(watched: Watched, cluster: Cluster, act: Act): Watched {
  const { pods, policies, published, nowMs } = cluster;
  const forgotten = act.act === "agentRestarted" && act.node === "a";
  const everElsewhere = new Set(forgotten ? [] : watched.everElsewhere);
  const everSelecting = new Set(watched.everSelecting);
  let { labelled, selectedSince, deniedAtMs } = watched;
  if (act.act === "label") {
    labelled = { atMs: nowMs, selecting: selectingPod(watched.cluster) };
    selectedSince = false;
  }
  if (act.act === "deny") deniedAtMs ??= nowMs;
  selectedSince ||= selectingPod(cluster).size > 0;
  for (const [key, { policy, id }] of policies) {
    if (isOurs(policy)) continue;
    const listed = published.get(key)?.pods ?? [];
    const selected = [...pods.values()].filter(({ labels }) => selects(policy.selector, labels));
    for (const { name, node } of forgotten ? [...listed, ...selected] : selected) {
      if (podIdentifier(name) !== podIdentifier(Q)) continue;
      everSelecting.add(id);
      if (node !== "a") everElsewhere.add(id);
    }
  }
  return {
    ...watched,
    cluster,
    everElsewhere,
    everSelecting,
    labelled,
    selectedSince,
    deniedAtMs,
  };
}

/** The policies of others that select the pod. */
function selectingPod({ pods, policies }: Cluster): ReadonlySet<string> {
  const labels = pods.get(Q)?.labels ?? {};
  const selecting = [...policies.values()].filter(
    ({ policy }) => !isOurs(policy) && selects(policy.selector, labels),
  );
  return new Set(selecting.map(({ id }) => id));
}

function eventsOf(act: Act, { cluster }: Watched): readonly Event[] {
  const deleted = ({ kind, name }: ModelPolicy): Event => ({ event: "policyDeleted", kind, name });
  const created = (policy: ModelPolicy): Event => ({ event: "policyCreated", policy });
  const there = (policy: ModelPolicy) => cluster.policies.has(`${policy.kind}/${policy.name}`);
  const settledWithout = (policy: ModelPolicy) =>
    !there(policy) && !cluster.published.has(`${policy.kind}/${policy.name}`);
  const [denyAll, clusterDeny] = OURS as [ModelPolicy, ModelPolicy];
  switch (act.act) {
    case "label":
      return [{ event: "labelsReplaced", name: Q, labels: act.keep ? { ...APP, ...CASE } : CASE }];
    case "deny":
      return there(denyAll) ? [] : [created(denyAll)];
    case "clusterDeny":
      return settledWithout(clusterDeny) ? [created(clusterDeny)] : [];
    case "clusterDenyDeleted":
      return there(clusterDeny) ? [deleted(clusterDeny)] : [];
    case "start":
      return cluster.pods.has(act.name)
        ? []
        : [
            {
              event: "podCreated",
              pod: { name: act.name, node: act.node, labels: act.app ? APP : {} },
            },
          ];
    case "stop":
      return cluster.pods.has(act.name) ? [{ event: "podDeleted", name: act.name }] : [];
    case "policy":
    case "policyDeleted": {
      const policy = OTHER_POLICIES[act.index];
      if (!policy || there(policy) === (act.act === "policy")) return [];
      if (act.act === "policyDeleted") return [deleted(policy)];
      return settledWithout(policy) ? [created(policy)] : [];
    }
    case "connect":
      return connections(`${cluster.flows.size}`);
    case "agentResynced":
    case "agentRestarted":
      return [{ event: act.act, node: act.node }];
    case "wait":
      return [];
  }
}

const PEERS: readonly Peer[] = [{ kind: "pod", name: "client" }, { kind: "outside" }];
const DIRECTIONS: readonly Direction[] = ["ingress", "egress"];

function connections(batch: string): readonly Event[] {
  return PEERS.flatMap((peer) =>
    DIRECTIONS.flatMap((opened) =>
      (["active", "idle"] as const).map((activity): Event => {
        const name = `${batch} ${activity} ${peer.kind} ${opened}`;
        return { event: "flowOpened", flow: { name, pod: Q, peer, opened, activity } };
      }),
    ),
  );
}

function carryOut(watched: Watched, act: Act): Watched {
  let { clusterPolicy, clusterPolicyEver, missedDeletion } = watched;
  const events = eventsOf(act, watched);
  if (act.act === "clusterDeny" && events.length > 0) {
    const closed = watched.cluster.due.length === 0 && judged(watched).outsideIngress === "cut";
    const closedNow = clusterPolicyEver ? "againOnceClosed" : "onceClosed";
    clusterPolicy = closed && !missedDeletion ? closedNow : "whileOpen";
    clusterPolicyEver = true;
  }
  if (act.act === "clusterDenyDeleted" && events.length > 0) {
    clusterPolicy = "none";
    missedDeletion = false;
  }
  if (act.act === "agentRestarted" && act.node === "a" && clusterPolicyEver) {
    missedDeletion ||= clusterPolicy === "none";
  }
  const happened = happen(watched.cluster, ...events);
  const cluster = act.act === "wait" ? wait(happened, act.ms) : happened;
  const next = {
    ...watch(watched, cluster, act),
    clusterPolicy,
    clusterPolicyEver,
    missedDeletion,
  };
  const closedSince = clusterPolicy === "onceClosed" || clusterPolicy === "againOnceClosed";
  const openNow = judged(next).outsideIngress === "mayBeOpen";
  return closedSince && openNow ? { ...next, clusterPolicy: "whileOpen" } : next;
}

function watchedFrom(first: readonly Act[], then: readonly Act[], judge = FOR_GOOD): Watched {
  const cluster = happen(
    clusterOf(["a", "b"]),
    { event: "podCreated", pod: { name: Q, node: "a", labels: APP } },
    { event: "podCreated", pod: { name: "client", node: "a", labels: {} } },
  );
  const initial: Watched = {
    cluster,
    everElsewhere: new Set(),
    everSelecting: new Set(),
    clusterPolicy: "none",
    clusterPolicyEver: false,
    missedDeletion: false,
    labelled: null,
    selectedSince: true,
    deniedAtMs: null,
    judge,
  };
  const acts: readonly Act[] = [
    ...first,
    { act: "wait", ms: 5000 },
    { act: "connect" },
    ...then,
    { act: "wait", ms: 5000 },
  ];
  return acts.reduce(carryOut, initial);
}

describe("held against the model, in random small situations", () => {
  const RUNS = { numRuns: 3000 };

  const judgements = [
    ["", FOR_GOOD, during],
    [" until the agent resyncs", UNTIL_RESYNC, duringWith(pause)],
  ] as const;

  test.each(judgements)("new flows that the outlook calls cut%s are cut", (_, judge, acts) => {
    fc.assert(
      fc.property(before, acts, (first, then) => {
        const watched = watchedFrom(first, then, judge);
        const { outsideIngress, otherNewFlows } = judged(watched);
        for (const peer of PEERS) {
          for (const direction of DIRECTIONS) {
            const fromOutside = peer.kind === "outside" && direction === "ingress";
            const said = fromOutside ? outsideIngress : otherNewFlows;
            if (said === "cut") expect(opens(watched.cluster, Q, peer, direction)).toBe(false);
          }
        }
      }),
      RUNS,
    );
  });

  test.each(judgements)(
    "established flows that the outlook calls cut%s are cut",
    (_, judge, acts) => {
      fc.assert(
        fc.property(before, acts, (first, then) => {
          const watched = watchedFrom(first, then, judge);
          const { establishedFlows } = judged(watched);
          const spared = establishedFlows.state === "cut" ? "none" : establishedFlows.which;
          const cut = [...watched.cluster.flows.values()].filter(
            ({ activity }) => spared === "none" || (spared === "idle" && activity === "active"),
          );
          expect(cut.filter(({ name }) => passes(watched.cluster, name))).toEqual([]);
        }),
        RUNS,
      );
    },
  );

  test("no pod is cut by the quarantine but those that the outlook names", () => {
    const withoutOurs = ({ act }: Act) => !["label", "deny", "clusterDeny"].includes(act);
    fc.assert(
      fc.property(before, during, (first, then) => {
        const watched = watchedFrom(first, then);
        const untouched = watchedFrom(first, then.filter(withoutOurs));
        const { cutTogether, cutIfStartedSince } = quarantineOutlook(factsOf(watched));
        const named = [Q, ...cutTogether, ...cutIfStartedSince];
        for (const name of watched.cluster.pods.keys()) {
          if (named.includes(name)) continue;
          for (const peer of PEERS) {
            for (const direction of DIRECTIONS) {
              expect(opens(watched.cluster, name, peer, direction)).toBe(
                opens(untouched.cluster, name, peer, direction),
              );
            }
          }
        }
      }),
      RUNS,
    );
  });

  test("every claim is made often enough to be worth something", () => {
    const claims = new Map<string, number>();
    const samples = fc.sample(fc.tuple(before, during), { numRuns: 2000, seed: 7 });
    for (const [first, then] of samples) {
      const watched = watchedFrom(first, then);
      const facts = factsOf(watched);
      const { outsideIngress, otherNewFlows, establishedFlows, untilResync } =
        quarantineOutlook(facts);
      const said = [
        ...(outsideIngress === untilResync.outsideIngress ? [] : ["outside ingress cut until"]),
        `outside ingress ${outsideIngress}`,
        `other new flows ${otherNewFlows}`,
        establishedFlows.state === "cut"
          ? `established cut, policies before: ${facts.pairBefore.networkPolicy}`
          : `established ${establishedFlows.which}`,
      ];
      for (const each of said) claims.set(each, (claims.get(each) ?? 0) + 1);
    }

    expect(Object.fromEntries(claims)).toEqual({
      "outside ingress cut": expect.any(Number),
      "outside ingress mayBeOpen": expect.any(Number),
      "outside ingress cut until": expect.any(Number),
      "other new flows cut": expect.any(Number),
      "other new flows mayBeOpen": expect.any(Number),
      "established cut, policies before: false": expect.any(Number),
      "established cut, policies before: true": expect.any(Number),
      "established any": expect.any(Number),
      "established idle": expect.any(Number),
    });
    for (const count of claims.values()) expect(count).toBeGreaterThan(10);
  });
});
