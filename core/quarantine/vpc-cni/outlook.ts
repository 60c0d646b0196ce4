import type { PolicyName } from "../../policies.ts";
import type { SeenPod } from "../seen-pod.ts";
import { podIdentifier } from "./identifier.ts";

/** Another pod that shares the identifier, and on the same node the very rules, of a pod. */
export interface Sibling {
  readonly pod: SeenPod;
  /** `unknown` while one of the two is not scheduled. */
  readonly sameNode: boolean | "unknown";
}

/**
 * The pods of the pod's namespace that share its identifier and are under policies at all: not
 * those that ended, nor those on the host's network.
 */
export function siblingsOf(pod: SeenPod, podsOfNamespace: readonly SeenPod[]): readonly Sibling[] {
  const identifier = podIdentifier(pod.name);
  return podsOfNamespace
    .filter(({ name }) => name !== pod.name && podIdentifier(name) === identifier)
    .filter(({ namespace }) => namespace === pod.namespace)
    .filter(({ hostNetwork, ended }) => !hostNetwork && !ended)
    .map((sibling) => ({ pod: sibling, sameNode: sameNode(pod, sibling) }));
}

function sameNode(one: SeenPod, other: SeenPod): Sibling["sameNode"] {
  const nodes = [one.node, other.node];
  return nodes.includes(undefined) ? "unknown" : nodes[0] === nodes[1];
}

export interface QuarantineFacts {
  /** The quarantined pod, as read. */
  readonly pod: SeenPod;
  readonly siblings: readonly Sibling[];
  /** The policies, not ours, that select a pod now and allow anything. Asked for the pod itself and
   * for each sibling. */
  readonly allowing: (pod: SeenPod) => readonly PolicyName[];
  /**
   * Allowing policies that still exist and that, at any time since the pod's labels were taken,
   * selected a pod of its identifier on another node; of policies that never selected the pod
   * itself, at any time at all. Only a start of the agent on the pod's node ends it: from then on
   * count those that had such a pod, or were still resolved to one. The agent remembers such a
   * policy for as long as both exist, gone as the sibling may be, and loads it whenever it takes up
   * any policy that selects the pod (source; seen twice). `null`: not known.
   */
  readonly allowedElsewhere: readonly PolicyName[] | null;
  /** Has any policy, not ours, selected the pod since its labels were taken, allowing or not?
   * Whatever changes among that policy's pods makes the agent load what it remembers. */
  readonly selectedByOthers: boolean | null;
  /**
   * Was our NetworkPolicy created after the pod's labels were taken and before the controller can
   * have published that twice, so within a second; and did every policy of `allowedElsewhere` select
   * the pod until then? Then the agent forgot those when the pod left them, and remembered them
   * again only after it had loaded ours. `null`: not known.
   */
  readonly deniedInTime: boolean | null;
  /** Had any policy of the kind, not ours, ever selected the pod or a sibling? `null`: not known. */
  readonly pairBefore: {
    readonly networkPolicy: boolean | null;
    readonly clusterNetworkPolicy: boolean | null;
  };
  readonly ours: {
    /** Our deny-all NetworkPolicy selects the pod, it alone, and was placed once. */
    readonly networkPolicy: boolean;
    readonly clusterPolicy: OurClusterPolicy;
  };
}

/**
 * How our ClusterNetworkPolicy was placed. Closed means: the judgement in question, that for good or
 * that until the agent resyncs, said of new ingress from outside that it is cut, already then and at
 * any time since, and the endpoints and agents had had their time (a second for changes of pods, a
 * third of one for changes of policies).
 */
export type OurClusterPolicy =
  | "none"
  /** Rules of an allowing policy were or may have been loaded then, or have been since: a sibling
   * that came and went leaves what flowed in meanwhile established. */
  | "whileOpen"
  | "onceClosed"
  /** Deleted and created again, closed by the time it was created again; and the agent on the pod's
   * node did not start in between, for it may then have missed that the policy was gone. */
  | "againOnceClosed";

/** What becomes of the pod's flows. */
export interface FlowOutlook {
  /** New flows from addresses that are no pods': clients, load balancers, other nodes. */
  readonly outsideIngress: "cut" | "mayBeOpen";
  /** All other new flows: with pods both ways, and out to anywhere. */
  readonly otherNewFlows: "cut" | "mayBeOpen";
  readonly establishedFlows:
    | { readonly state: "cut" }
    | {
        readonly state: "mayBeOpen";
        /** `idle`: only those that sent nothing between deleting and creating the policy again. */
        readonly which: "any" | "idle";
        readonly why: EstablishedWhy;
      };
}

export interface QuarantineOutlook extends FlowOutlook {
  /**
   * The same if the agent on the pod's node has not taken up everything anew since the pod's labels
   * were taken, and for as long as it does not, whatever pods without the identifier come and go. It
   * does so when it starts, every 9 to 11 hours after that, and possibly when its watch begins again;
   * no object in the API tells of the latter two. So this is no containment.
   */
  readonly untilResync: FlowOutlook;
  /** Whom an allowing policy selects, so that the pod may be open as that policy says. */
  readonly openThrough: readonly {
    readonly pod: string;
    readonly sameNode: Sibling["sameNode"];
    readonly policies: readonly PolicyName[];
  }[];
  /** What the node's agent may still remember and load. `null`: not known. */
  readonly openOnceReloaded: readonly PolicyName[] | null;
  /** Siblings that our policies may cut with the pod, whatever allows them. */
  readonly cutTogether: readonly string[];
  /** Siblings elsewhere: untouched if they ran before the quarantine. One that started under it may
   * have come up cut, and then stays cut after a release until it is restarted. */
  readonly cutIfStartedSince: readonly string[];
}

export type EstablishedWhy =
  /** New flows may be open: so may old ones. */
  | "newFlowsMayBeOpen"
  /** It was under policies before and is now: nothing made the node judge its flows again. */
  | "neverJudgedAgain"
  /** They were judged again while an allowing policy's rules were loaded, and not since. */
  | "judgedWhileOpen"
  | "idleWhileRepaired";

/**
 * What the AWS VPC CNI makes of a pod's quarantine once everything has settled, said carefully:
 * `cut` is held against the model (model.ts), `mayBeOpen` is whatever is not certainly cut.
 *
 * Taken as given: other policies do not change while this is true of them, none of those that
 * allowed the pod bears the name of one in another namespace (agents then forget neither), the pod
 * keeps its sandbox, and every flow's opener sends. Always open, whatever is said here: the pod's own
 * node; and a stream of datagrams in which only the end that did not open it sends, for the node
 * never judges answers.
 */
export function quarantineOutlook(facts: QuarantineFacts): QuarantineOutlook {
  const { siblings, allowedElsewhere } = facts;
  const openThrough = [{ pod: facts.pod, sameNode: true } as const, ...siblings]
    .map(({ pod, sameNode }) => ({
      pod: pod.name,
      sameNode,
      policies: facts.allowing(pod),
    }))
    .filter(({ policies }) => policies.length > 0);
  const allowing = [
    ...openThrough.flatMap(({ policies }) => policies),
    ...(allowedElsewhere ?? []),
  ];
  const closed = facts.ours.networkPolicy && allowing.length === 0 && allowedElsewhere !== null;
  const names = (wanted: readonly Sibling[]) => wanted.map(({ pod }) => pod.name);
  return {
    ...flows(facts, closed, allowing),
    untilResync: flows(facts, closed || closedUntilResync(facts), allowing),
    openThrough,
    openOnceReloaded: allowedElsewhere,
    cutTogether: names(siblings.filter((each) => each.sameNode !== false)),
    cutIfStartedSince: names(siblings.filter((each) => each.sameNode === false)),
  };
}

/** Nothing that the agent remembers has been loaded, and nothing but itself will load it. */
function closedUntilResync(facts: QuarantineFacts): boolean {
  return (
    facts.ours.networkPolicy &&
    facts.siblings.length === 0 &&
    // Ours of the cluster is created last, and its publication loads what is remembered of its kind.
    facts.allowedElsewhere?.every(({ kind }) => kind !== "ClusterNetworkPolicy") === true &&
    facts.selectedByOthers === false &&
    facts.deniedInTime === true &&
    // While a sibling leaves this node and another runs elsewhere, the agent may remember one policy
    // again before it cleans up after the next, and loads it with that (found by the model).
    facts.allowedElsewhere.length <= 1
  );
}

function flows(
  facts: QuarantineFacts,
  closed: boolean,
  allowing: readonly PolicyName[],
): FlowOutlook {
  // Whatever NetworkPolicies allow; but another ClusterNetworkPolicy may accept before ours denies.
  const covered =
    facts.ours.clusterPolicy !== "none" &&
    allowing.every(({ kind }) => kind !== "ClusterNetworkPolicy");
  return {
    outsideIngress: closed ? "cut" : "mayBeOpen",
    otherNewFlows: closed || covered ? "cut" : "mayBeOpen",
    establishedFlows: establishedFlows(facts, closed),
  };
}

function establishedFlows(
  { pairBefore, ours }: QuarantineFacts,
  closed: boolean,
): FlowOutlook["establishedFlows"] {
  const mayBeOpen = (which: "any" | "idle", why: EstablishedWhy) =>
    ({ state: "mayBeOpen", which, why }) as const;
  if (!closed) return mayBeOpen("any", "newFlowsMayBeOpen");
  // The first NetworkPolicy was ours, so every flow was judged again under nothing but our deny.
  if (pairBefore.networkPolicy === false) return { state: "cut" };
  if (pairBefore.clusterNetworkPolicy !== false) return mayBeOpen("any", "neverJudgedAgain");
  switch (ours.clusterPolicy) {
    case "none":
      return mayBeOpen("any", "neverJudgedAgain");
    case "whileOpen":
      return mayBeOpen("any", "judgedWhileOpen");
    case "againOnceClosed":
      return mayBeOpen("idle", "idleWhileRepaired");
    case "onceClosed":
      return { state: "cut" };
  }
}
