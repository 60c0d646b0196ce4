import { describe, expect, test } from "vitest";
import type { Labels } from "../../kubernetes.ts";
import {
  type Cluster,
  clusterOf,
  type Event,
  happen,
  listing,
  opens,
  POD_BATCH_MS,
  passes,
  wait,
} from "./model.ts";
import type { Grant, ModelPolicy } from "./published.ts";
import type { Direction, Flow, Peer } from "./traffic.ts";

const APP = { app: "checkout" };
const CASE = { case: "c-1" };
/** The pod that is quarantined, its siblings and, of the next pod-template-hash, its successors. */
const Q = "checkout-7f9c-q";
const SIBLING = "checkout-7f9c-s";
const REPLACEMENT = "checkout-7f9c-r";
const SUCCESSOR = "checkout-5d2a-n";
const CLIENT = "client";

const OUTSIDE: Peer = { kind: "outside" };
const NODE: Peer = { kind: "ownNode" };
const podPeer = (name: string): Peer => ({ kind: "pod", name });

const MILLISECONDS = 60;
const A_SECOND = POD_BATCH_MS + MILLISECONDS;
const SOON = 300;
const LONG = 45_000;

const pod = (name: string, labels: Labels = APP, node = "a"): Event => ({
  event: "podCreated",
  pod: { name, labels, node },
});
const gone = (name: string): Event => ({ event: "podDeleted", name });
const relabel = (name: string, labels: Labels): Event => ({
  event: "labelsReplaced",
  name,
  labels,
});
const policy = (
  name: string,
  matchLabels: Labels,
  ingress: Grant,
  egress: Grant,
): Event & { policy: ModelPolicy } => ({
  event: "policyCreated",
  policy: { kind: "NetworkPolicy", name, selector: { matchLabels }, ingress, egress },
});
const allow = policy("allow-app", APP, "everyone", "everyone");
const deny = policy("quarantine", CASE, "nobody", "nobody");
const clusterDeny: Event = {
  event: "policyCreated",
  policy: { kind: "ClusterNetworkPolicy", name: "quarantine", selector: { matchLabels: CASE } },
};
const without = (kind: ModelPolicy["kind"], name: string): Event => ({
  event: "policyDeleted",
  kind,
  name,
});
const denyDeleted = without("NetworkPolicy", "quarantine");
const clusterDenyDeleted = without("ClusterNetworkPolicy", "quarantine");

const flow = (
  name: string,
  peer: Peer,
  opened: Direction,
  activity: Flow["activity"] = "active",
  of = Q,
): Event => ({ event: "flowOpened", flow: { name, pod: of, peer, opened, activity } });
const ESTABLISHED = [
  flow("pod in", podPeer(CLIENT), "ingress"),
  flow("pod out", podPeer(CLIENT), "egress"),
  flow("outside in", OUTSIDE, "ingress"),
  flow("outside out", OUTSIDE, "egress"),
];
const IDLE = [
  flow("idle in", OUTSIDE, "ingress", "idle"),
  flow("idle out", OUTSIDE, "egress", "idle"),
];

/** Two nodes, a client pod, these pods and policies, everything settled. */
function standing(...events: Event[]): Cluster {
  return wait(happen(clusterOf(["a", "b"]), pod(CLIENT, {}, "a"), ...events), 10_000);
}

/** New flows of a pod that are open, in words. */
function openTo(cluster: Cluster, name = Q): string[] {
  const peers = { pod: podPeer(CLIENT), outside: OUTSIDE };
  return Object.entries(peers).flatMap(([word, peer]) =>
    (["ingress", "egress"] as const)
      .filter((direction) => opens(cluster, name, peer, direction))
      .map((direction) => `${word} ${direction === "ingress" ? "in" : "out"}`),
  );
}
const EVERYTHING = ["pod in", "pod out", "outside in", "outside out"];

/** Established flows that still pass. */
const alive = (cluster: Cluster) =>
  [...cluster.flows.keys()].filter((name) => passes(cluster, name));

describe("what was seen of one change", () => {
  test("a deny-all created on a pod that nothing selected cuts new and established flows in milliseconds", () => {
    const before = happen(standing(pod(Q, CASE)), ...ESTABLISHED, ...IDLE, deny);

    expect(alive(before)).toHaveLength(6);
    expect(openTo(before)).toEqual(EVERYTHING);
    const after = wait(before, MILLISECONDS);
    expect(openTo(after)).toEqual([]);
    expect(alive(after)).toEqual([]);
  });

  test("a label added under a standing policy takes the controller's second", () => {
    const labelled = happen(standing(pod(Q, {}), deny), relabel(Q, CASE));

    expect(openTo(wait(labelled, POD_BATCH_MS - 1))).toEqual(EVERYTHING);
    expect(openTo(wait(labelled, A_SECOND))).toEqual([]);
  });

  test("a deny-all added to a pod that another policy allows changes nothing", () => {
    const after = wait(happen(standing(pod(Q, { ...APP, ...CASE }), allow), deny), LONG);

    expect(openTo(after)).toEqual(EVERYTHING);
  });

  test("when only the deny is left, new flows are cut and established ones live on", () => {
    const both = happen(standing(pod(Q, { ...APP, ...CASE }), allow, deny), ...ESTABLISHED);
    const deleted = wait(happen(both, without("NetworkPolicy", "allow-app")), LONG);
    const swapped = wait(happen(both, relabel(Q, CASE)), LONG);

    for (const after of [deleted, swapped]) {
      expect(openTo(after)).toEqual([]);
      expect(alive(after)).toEqual(EVERYTHING);
    }
  });

  test("a first ClusterNetworkPolicy on top of that cuts the established flows too", () => {
    const both = happen(standing(pod(Q, { ...APP, ...CASE }), allow, deny), ...ESTABLISHED);
    const denied = wait(happen(both, relabel(Q, CASE)), LONG);

    expect(alive(wait(happen(denied, clusterDeny), MILLISECONDS))).toEqual([]);
  });

  test("a ClusterNetworkPolicy overrides every allow, but not for sources that are no pods", () => {
    const both = standing(pod(Q, { ...APP, ...CASE }), allow);
    const after = wait(happen(both, ...ESTABLISHED, clusterDeny), MILLISECONDS);

    expect(openTo(after)).toEqual(["outside in"]);
    expect(alive(after)).not.toContain("pod in");
    expect(alive(after)).not.toContain("pod out");
    expect(alive(after)).toContain("outside in");
  });

  test("both policies by one label cut a pod with an identifier of its own entirely, and no other", () => {
    const before = standing(pod(Q, {}), pod("other-1", {}), deny, clusterDeny);
    const after = wait(happen(before, ...ESTABLISHED, ...IDLE, relabel(Q, CASE)), A_SECOND);

    expect(openTo(after)).toEqual([]);
    expect(alive(after)).toEqual([]);
    expect(openTo(after, "other-1")).toEqual(EVERYTHING);
  });

  test("the pod's own node reaches it and is reached, whatever the policy", () => {
    const after = wait(happen(standing(pod(Q, CASE)), deny, clusterDeny), LONG);

    expect(opens(after, Q, NODE, "ingress")).toBe(true);
    expect(opens(after, Q, NODE, "egress")).toBe(true);
  });

  test("a flow with the own node lives on", () => {
    const before = happen(standing(pod(Q, CASE)), flow("probe", NODE, "ingress"));

    expect(alive(wait(happen(before, deny, clusterDeny), LONG))).toEqual(["probe"]);
  });
});

describe("siblings, which share the identifier", () => {
  const orphaned = [relabel(Q, CASE), deny];

  test("under an allow policy on the same node they hold the quarantined pod open for ever", () => {
    const before = standing(pod(Q), pod(SIBLING), allow);

    expect(openTo(wait(happen(before, ...orphaned), LONG))).toEqual(EVERYTHING);
  });

  test("a replacement under an allow policy that arrives later opens it again", () => {
    const cut = wait(happen(standing(pod(Q), allow), ...orphaned), 8000);
    const replaced = happen(cut, pod(REPLACEMENT));

    expect(openTo(cut)).toEqual([]);
    expect(openTo(wait(replaced, POD_BATCH_MS - 1))).toEqual([]);
    expect(openTo(wait(replaced, A_SECOND))).toEqual(EVERYTHING);
  });

  test("without any allow policy they are cut with it, established flows included", () => {
    const before = happen(
      standing(pod(Q), pod(SIBLING)),
      flow("sibling's", OUTSIDE, "ingress", "active", SIBLING),
      ...orphaned,
    );
    const after = wait(happen(wait(before, A_SECOND), pod(REPLACEMENT)), LONG);

    for (const name of [Q, SIBLING, REPLACEMENT]) expect(openTo(after, name)).toEqual([]);
    expect(alive(after)).toEqual([]);
  });

  test("with a ClusterNetworkPolicy as well all are cut, save ingress from outside where they allow it", () => {
    const before = happen(standing(pod(Q), pod(SIBLING), allow), ...ESTABLISHED);
    const placed = wait(happen(before, ...orphaned, clusterDeny), MILLISECONDS);
    const after = wait(happen(placed, pod(REPLACEMENT)), LONG);

    expect(alive(after)).not.toContain("pod in");
    expect(alive(after)).not.toContain("pod out");
    for (const name of [Q, SIBLING, REPLACEMENT]) {
      expect(openTo(after, name)).toEqual(["outside in"]);
    }
  });

  test("one that runs elsewhere leaves new flows cut and established ones alive", () => {
    const before = happen(standing(pod(Q), pod(SIBLING, APP, "b"), allow), ...ESTABLISHED);
    const after = wait(happen(before, ...orphaned), A_SECOND);

    expect(openTo(after)).toEqual([]);
    expect(alive(after)).toEqual(EVERYTHING);
  });

  // What the source gives as the way to what was seen twice: the sibling elsewhere is listed in an
  // allowing policy that is published again after the pod left it, and is then remembered on the
  // pod's node without being loaded; the next time the quarantine policy is published, it is loaded.
  test("one elsewhere opens the pod again when a stranger enters the same quarantine policy", () => {
    const cut = wait(happen(standing(pod(Q), allow), ...orphaned), A_SECOND);
    const replaced = wait(happen(cut, pod(REPLACEMENT, APP, "b"), pod("stranger", {}, "b")), LONG);
    const entered = wait(happen(replaced, relabel("stranger", CASE)), A_SECOND);

    expect(openTo(replaced)).toEqual([]);
    expect(openTo(entered)).toEqual(EVERYTHING);
  });

  test("a stranger under the allowing policy that enters the quarantine policy does both at once", () => {
    const before = standing(pod(Q), pod(SIBLING, APP, "b"), pod("stranger", APP, "b"), allow);
    const cut = wait(happen(before, ...orphaned), A_SECOND);
    const entered = wait(happen(cut, relabel("stranger", CASE)), A_SECOND);

    expect(openTo(cut)).toEqual([]);
    expect(openTo(entered)).toEqual(EVERYTHING);
  });

  test("a first one that starts on a node where the deny is known comes up cut", () => {
    const quarantined = wait(happen(standing(pod(Q)), ...orphaned), A_SECOND);
    const later = wait(happen(quarantined, pod(SIBLING, APP, "b")), LONG);

    expect(openTo(later, SIBLING)).toEqual([]);
  });

  test("one that starts there at the same moment stays open", () => {
    const together = wait(happen(standing(pod(Q)), ...orphaned, pod(SIBLING, APP, "b")), LONG);

    expect(openTo(together, SIBLING)).toEqual(EVERYTHING);
  });

  test("a rollout to another pod-template-hash cuts new flows after a second and harms no new pod", () => {
    const before = happen(standing(pod(Q), pod(SIBLING), allow), ...ESTABLISHED);
    const rolled = happen(wait(happen(before, ...orphaned), SOON), pod(SUCCESSOR), gone(SIBLING));

    const after = wait(rolled, A_SECOND);
    expect(openTo(after)).toEqual([]);
    expect(alive(after)).toEqual(EVERYTHING);
    expect(openTo(after, SUCCESSOR)).toEqual(EVERYTHING);
  });

  test("in a StatefulSet, and by bare names, even unrelated pods are siblings", () => {
    const before = standing(
      pod("db-0", CASE),
      pod("db-1", {}),
      pod("db-other", {}),
      pod("dbx", {}),
    );
    const after = wait(happen(before, deny), LONG);

    expect(openTo(after, "db-1")).toEqual([]);
    expect(openTo(after, "db-other")).toEqual([]);
    expect(openTo(after, "dbx")).toEqual(EVERYTHING);
  });
});

describe("release", () => {
  const quarantined = wait(happen(standing(pod(Q, CASE), pod(SIBLING, {})), deny), LONG);
  const unlabelled = wait(happen(quarantined, relabel(Q, {})), 20_000);
  const stuck = wait(happen(unlabelled, denyDeleted), LONG);

  test("by the label first leaves the pod and its siblings cut, even once the policy is deleted", () => {
    for (const cluster of [unlabelled, stuck]) {
      expect(openTo(cluster)).toEqual([]);
      expect(openTo(cluster, SIBLING)).toEqual([]);
    }
  });

  test("is mended by the label on again and then deleting the policy", () => {
    const labelled = wait(happen(unlabelled, relabel(Q, CASE)), A_SECOND);

    expect(openTo(wait(happen(labelled, denyDeleted), MILLISECONDS))).toEqual(EVERYTHING);
  });

  test("is mended by a temporary policy that allows everything and is then deleted", () => {
    const all = policy("temporary", {}, "everyone", "everyone");
    const allowed = wait(happen(stuck, all), MILLISECONDS);
    const after = wait(happen(allowed, without("NetworkPolicy", "temporary")), MILLISECONDS);

    expect(openTo(allowed)).toEqual(EVERYTHING);
    expect(openTo(after)).toEqual(EVERYTHING);
  });

  test("by the policies first opens in milliseconds, and connections that survived resume", () => {
    const before = happen(standing(pod(Q, CASE)), ...ESTABLISHED, ...IDLE, deny, clusterDeny);
    const cut = wait(before, LONG);
    const after = wait(happen(cut, clusterDenyDeleted, denyDeleted), MILLISECONDS);

    expect(alive(cut)).toEqual([]);
    expect(openTo(after)).toEqual(EVERYTHING);
    expect(alive(after)).toHaveLength(6);
  });
});

describe("orders of writes, tried whole", () => {
  const before = happen(standing(pod(Q), pod(SIBLING), allow), ...ESTABLISHED, ...IDLE);
  const rollout = [pod(SUCCESSOR), gone(SIBLING)];
  /** Q and its siblings are no longer listed, nor is anything older still on its way. */
  const clear = (cluster: Cluster) => !listing(cluster, "checkout-7f9c").includes("allow-app");

  const fast = (() => {
    const placed = wait(happen(before, relabel(Q, CASE), deny, clusterDeny), MILLISECONDS);
    const replaced = wait(happen(placed, pod(REPLACEMENT)), SOON);
    const rolled = wait(happen(replaced, ...rollout, gone(REPLACEMENT)), A_SECOND);
    return { placed, replaced, rolled };
  })();

  test("fast: flows with pods and new egress are cut in milliseconds", () => {
    expect(openTo(fast.placed)).toEqual(["outside in"]);
    expect(alive(fast.placed)).not.toContain("pod in");
    expect(alive(fast.placed)).not.toContain("pod out");
  });

  test("fast: siblings and the same-hash replacement are cut like the pod until they are deleted", () => {
    expect(openTo(fast.replaced, SIBLING)).toEqual(["outside in"]);
    expect(openTo(fast.replaced, REPLACEMENT)).toEqual(["outside in"]);
    expect(openTo(fast.rolled, SUCCESSOR)).toEqual(EVERYTHING);
  });

  test("fast: ingress from outside is cut a second after the siblings, established flows with the outside never", () => {
    expect(openTo(fast.rolled)).toEqual([]);
    expect(alive(wait(fast.rolled, 20_000))).toEqual(
      expect.arrayContaining(["outside in", "outside out"]),
    );
  });

  test("fast, then repaired: active flows are cut and nothing opens meanwhile; flows idle in between survive", () => {
    const lastWord = happen(
      fast.placed,
      flow("idle since", OUTSIDE, "ingress", "idle"),
      pod(SUCCESSOR),
      gone(SIBLING),
    );
    const rolled = wait(lastWord, LONG);
    const lifted = wait(happen(rolled, clusterDenyDeleted), SOON);
    const repaired = wait(happen(lifted, clusterDeny), MILLISECONDS);

    expect(openTo(lifted)).toEqual([]);
    expect(openTo(repaired)).toEqual([]);
    expect(alive(repaired)).toEqual(["idle since"]);
  });

  const rolledAfterDeny = wait(
    happen(wait(happen(before, relabel(Q, CASE), deny), SOON), ...rollout),
    A_SECOND,
  );

  test("clean, deny first: all of it is cut at the ClusterNetworkPolicy, idle flows too, without harm", () => {
    const after = wait(happen(wait(rolledAfterDeny, 200), clusterDeny), MILLISECONDS);

    expect(clear(rolledAfterDeny)).toBe(true);
    expect(openTo(rolledAfterDeny)).toEqual([]);
    expect(openTo(after)).toEqual([]);
    expect(alive(after)).toEqual([]);
    expect(openTo(after, SUCCESSOR)).toEqual(EVERYTHING);
  });

  const rolledFirst = wait(happen(before, relabel(Q, CASE), ...rollout), A_SECOND);

  test("clean, deny last: everything is cut milliseconds after the NetworkPolicy, without harm", () => {
    const denied = wait(happen(rolledFirst, deny), MILLISECONDS);
    const after = wait(happen(denied, clusterDeny), MILLISECONDS);

    expect(openTo(rolledFirst)).toEqual(EVERYTHING);
    expect(openTo(denied)).toEqual([]);
    expect(alive(after)).toEqual([]);
    expect(openTo(after, SUCCESSOR)).toEqual(EVERYTHING);
  });

  test("without waiting for the endpoints to clear it leaks like the fast order", () => {
    const rolling = happen(before, relabel(Q, CASE), ...rollout);
    const denied = wait(happen(rolling, deny), MILLISECONDS);
    const after = wait(happen(denied, clusterDeny), LONG);

    expect(openTo(after)).toEqual([]);
    expect(alive(after)).toEqual(expect.arrayContaining(["outside in", "outside out"]));
    expect(openTo(after, SUCCESSOR)).toEqual(EVERYTHING);
  });

  test("with the ClusterNetworkPolicy before the NetworkPolicy it leaks like the fast order", () => {
    const covered = wait(happen(rolledFirst, clusterDeny), MILLISECONDS);
    const after = wait(happen(covered, deny), LONG);

    expect(openTo(after)).toEqual([]);
    expect(alive(after)).toEqual(expect.arrayContaining(["outside in", "outside out"]));
    expect(openTo(after, SUCCESSOR)).toEqual(EVERYTHING);
  });

  test("without ClusterNetworkPolicies new flows are cut for good and established ones all live", () => {
    expect(openTo(wait(rolledAfterDeny, LONG))).toEqual([]);
    expect(alive(wait(rolledAfterDeny, LONG))).toEqual([...EVERYTHING, "idle in", "idle out"]);
  });

  test("deleting and creating the deny again cuts active flows, opens the pod meanwhile, and spares idle flows", () => {
    const lifted = wait(happen(rolledAfterDeny, denyDeleted), SOON);
    const after = wait(happen(lifted, deny), MILLISECONDS);

    expect(openTo(lifted)).toEqual(EVERYTHING);
    expect(openTo(after)).toEqual([]);
    expect(alive(after)).toEqual(["idle in", "idle out"]);
  });

  describe("of a StatefulSet", () => {
    const DB = { app: "db" };
    const serving = { role: "serving" };
    const allowDb = policy("allow-db", serving, "everyone", "everyone");
    const stands = happen(
      standing(pod("db-0", { ...DB, ...serving }), pod("db-1", { ...DB, ...serving }), allowDb),
      ...ESTABLISHED.map((event) =>
        event.event === "flowOpened" ? { ...event, flow: { ...event.flow, pod: "db-0" } } : event,
      ),
    );
    const stripped = relabel("db-0", { ...DB, ...CASE });
    const db1 = pod("db-1", { ...DB, ...serving }, "b");
    const moved = wait(happen(stands, stripped, gone("db-1"), db1), A_SECOND);
    const denied = wait(happen(moved, deny), 200);
    const quarantined = wait(happen(denied, clusterDeny), MILLISECONDS);

    test("all of it is cut once its siblings have moved off the node, and they stay healthy", () => {
      expect(openTo(quarantined, "db-0")).toEqual([]);
      expect(alive(quarantined)).toEqual([]);
      expect(openTo(quarantined, "db-1")).toEqual(EVERYTHING);
    });

    test("one that returns to the node opens the pod again", () => {
      const back = pod("db-1", { ...DB, ...serving });
      const away = wait(happen(quarantined, gone("db-1")), LONG);

      expect(openTo(away, "db-0")).toEqual([]);
      expect(openTo(wait(happen(away, back), A_SECOND), "db-0")).toEqual(["outside in"]);
    });

    test("one that starts anywhere under the ClusterNetworkPolicy is cut until restarted after it", () => {
      const restarted = wait(happen(wait(happen(quarantined, gone("db-1")), LONG), db1), LONG);
      const released = wait(happen(restarted, clusterDenyDeleted, denyDeleted), LONG);
      const again = wait(happen(wait(happen(released, gone("db-1")), LONG), db1), LONG);

      expect(openTo(restarted, "db-1")).toEqual(["outside in"]);
      expect(openTo(released, "db-1")).toEqual(["outside in"]);
      expect(openTo(again, "db-1")).toEqual(EVERYTHING);
    });

    test("one pod alone on a node that it shares with a healthy sibling is impossible", () => {
      const together = wait(happen(stands, stripped, deny, clusterDeny), LONG);

      expect(openTo(together, "db-0")).toEqual(openTo(together, "db-1"));
    });
  });

  test("release by ClusterNetworkPolicy, NetworkPolicy, labels opens milliseconds after the NetworkPolicy", () => {
    const quarantined = wait(happen(wait(rolledAfterDeny, 200), clusterDeny), LONG);
    const uncovered = wait(happen(quarantined, clusterDenyDeleted), MILLISECONDS);
    const opened = wait(happen(uncovered, denyDeleted), MILLISECONDS);

    expect(openTo(uncovered)).toEqual([]);
    expect(openTo(opened)).toEqual(EVERYTHING);
    expect(openTo(wait(happen(opened, relabel(Q, APP)), LONG))).toEqual(EVERYTHING);
  });
});

describe("what the source says and nobody has seen yet", () => {
  test("with an agent on every node, the deny last opens again what a sibling elsewhere was allowed", () => {
    const before = standing(pod(Q), pod(SIBLING, APP, "b"), allow);
    const stripped = wait(happen(before, relabel(Q, CASE)), A_SECOND);
    const rolled = wait(happen(stripped, pod(SUCCESSOR, APP, "b")), A_SECOND);
    const cleared = wait(happen(rolled, gone(SIBLING)), A_SECOND);
    const after = wait(happen(cleared, deny), LONG);

    expect(listing(cleared, "checkout-7f9c")).toEqual([]);
    expect(openTo(after)).toEqual(EVERYTHING);
  });

  test("the deny first stays closed through the same rollout", () => {
    const before = standing(pod(Q), pod(SIBLING, APP, "b"), allow);
    const stripped = wait(happen(before, relabel(Q, CASE), deny), A_SECOND);
    const rolled = wait(happen(stripped, pod(SUCCESSOR, APP, "b")), A_SECOND);
    const after = wait(happen(rolled, gone(SIBLING)), LONG);

    expect(openTo(after)).toEqual([]);
  });

  describe("once that is settled and the ClusterNetworkPolicy is there", () => {
    const before = happen(standing(pod(Q), pod(SIBLING, APP, "b"), allow), ...ESTABLISHED, ...IDLE);
    const stripped = wait(happen(before, relabel(Q, CASE), deny), A_SECOND);
    const rolled = wait(happen(stripped, pod(SUCCESSOR, APP, "b")), A_SECOND);
    const unlisted = wait(happen(rolled, gone(SIBLING)), LONG);
    const contained = wait(happen(unlisted, clusterDeny), LONG);
    const resync: Event = { event: "agentResynced", node: "a" };
    const restart: Event = { event: "agentRestarted", node: "a" };

    test("it stays closed while pods of other identifiers come and go", () => {
      const busy = happen(contained, pod("checkout-5d2a-m"), pod("stranger", APP, "b"));
      const after = wait(happen(wait(busy, LONG), gone(SUCCESSOR)), LONG);

      expect(listing(contained, "checkout-7f9c")).toEqual(["quarantine", "quarantine"]);
      expect(openTo(after)).toEqual([]);
      expect(alive(after)).toEqual([]);
    });

    test("the agent's own resync opens it to the outside, for ever, and what was idle lives on", () => {
      const after = wait(happen(contained, resync), LONG);

      expect(openTo(after)).toEqual(["outside in"]);
      expect(alive(after)).toContain("idle in");
    });

    test("it stays closed through resyncs if the agent restarted after its siblings were unlisted", () => {
      const restarted = wait(happen(unlisted, restart), MILLISECONDS);
      const after = wait(happen(wait(happen(restarted, clusterDeny), LONG), resync), LONG);

      expect(openTo(after)).toEqual([]);
      expect(alive(after)).toEqual([]);
    });

    test("a restart closes again what a resync had opened, for new flows", () => {
      expect(openTo(wait(happen(contained, resync, restart), LONG))).toEqual([]);
    });

    test("a restart while a sibling is still listed does what a resync does", () => {
      const early = wait(happen(wait(happen(rolled, restart), SOON), gone(SIBLING)), LONG);

      expect(openTo(early)).toEqual(EVERYTHING);
    });
  });

  test("a sibling that takes longer than the controller's second to move is such a sibling elsewhere", () => {
    const before = standing(pod("db-0"), pod("db-1"), allow);
    const left = wait(happen(before, relabel("db-0", CASE), gone("db-1")), A_SECOND);
    const moved = wait(happen(left, pod("db-1", APP, "b")), A_SECOND);
    const denied = wait(happen(moved, deny), SOON);

    expect(openTo(wait(happen(denied, clusterDeny), LONG), "db-0")).toEqual(["outside in"]);
  });

  test("the deny first opens too when another policy still selects the pod and is published again", () => {
    const everywhere = policy("default-deny", {}, "nobody", "nobody");
    const before = standing(pod(Q), pod(SIBLING, APP, "b"), allow, everywhere);
    const stripped = wait(happen(before, relabel(Q, CASE), deny), A_SECOND);
    const rolled = wait(happen(stripped, pod(SUCCESSOR, APP, "b")), LONG);

    expect(openTo(stripped)).toEqual([]);
    expect(openTo(rolled)).toEqual(EVERYTHING);
  });

  test("a sibling that came and went leaves what flowed in meanwhile established", () => {
    const cut = wait(happen(standing(pod(Q), allow), relabel(Q, CASE), deny, clusterDeny), LONG);
    const back = wait(happen(cut, pod(REPLACEMENT)), LONG);
    const entered = happen(back, flow("entered", OUTSIDE, "ingress"));
    const after = wait(happen(entered, gone(REPLACEMENT)), LONG);

    expect(openTo(after)).toEqual([]);
    expect(alive(after)).toEqual(["entered"]);
  });

  test("a sender of datagrams that only answers is never judged again", () => {
    const before = standing(pod(Q, CASE));
    const streaming = happen(before, flow("stream", OUTSIDE, "ingress", "answering"));

    expect(alive(wait(happen(streaming, deny, clusterDeny), LONG))).toEqual(["stream"]);
  });

  test("a deleted policy that a sibling elsewhere was under still keeps established flows alive", () => {
    const once = wait(
      happen(standing(pod(SIBLING, APP, "b"), allow), without("NetworkPolicy", "allow-app")),
      LONG,
    );
    const started = happen(wait(happen(once, pod(Q, CASE)), LONG), ...ESTABLISHED);

    expect(alive(wait(happen(started, deny), LONG))).toEqual(EVERYTHING);
  });
});
