/*
 * What the two eBPF programs on a pod's veth do with a packet (aws-network-policy-agent 1.4.1,
 * pkg/ebpf/c/tc.v4ingress.bpf.c and tc.v4egress.bpf.c, standard mode). All pods of one identifier
 * on a node share one program and so one set of rules.
 */

/** Seen from the pod that the program belongs to. */
export type Direction = "ingress" | "egress";

export type Peer =
  | { readonly kind: "pod"; readonly name: string }
  /** An address that is no pod's: a load balancer, another node, the internet. */
  | { readonly kind: "outside" }
  | { readonly kind: "ownNode" };

/** Pods are listed by name: the controller resolves them when it publishes, not per packet. */
export type Peers = "everyone" | readonly string[];

export interface Rules {
  readonly ingress: readonly Peers[];
  readonly egress: readonly Peers[];
}

export const NO_RULES: Rules = { ingress: [], egress: [] };

export interface Program {
  readonly pods: readonly string[];
  readonly networkPolicy: { readonly applied: boolean; readonly allow: Rules };
  readonly clusterPolicy: { readonly applied: boolean; readonly deny: Rules };
}

/** True when a packet that belongs to no known flow may pass. */
export function admits(program: Program, direction: Direction, peer: Peer): boolean {
  // The agent loads its node's address into every NetworkPolicy map. Into the map of the
  // ClusterNetworkPolicies it does not, so that a deny of 0.0.0.0/0 should cut egress to the node;
  // open was seen both ways, and open is the careful answer.
  if (peer.kind === "ownNode") return true;
  if (covers(program.clusterPolicy.deny[direction], peer)) return false;
  return !program.networkPolicy.applied || covers(program.networkPolicy.allow[direction], peer);
}

function covers(rules: readonly Peers[], peer: Peer): boolean {
  return rules.some(
    (peers) => peers === "everyone" || (peer.kind === "pod" && peers.includes(peer.name)),
  );
}

/**
 * Which kinds of policy were in force. A tracked flow is judged again only when this differs from
 * what it was last judged under: other rules under the same pair do not touch it.
 */
export type Pair = `${"policy" | "none"}/${"cluster" | "none"}`;

export function pairOf(program: Program): Pair {
  const { networkPolicy, clusterPolicy } = program;
  return `${networkPolicy.applied ? "policy" : "none"}/${clusterPolicy.applied ? "cluster" : "none"}`;
}

export interface Flow {
  readonly name: string;
  readonly pod: string;
  readonly peer: Peer;
  /** `egress`: the pod opened it. */
  readonly opened: Direction;
  /**
   * Who sends while nobody looks: both ends; nobody until asked; or only the end that did not open
   * the flow, as in a one-way stream of datagrams.
   */
  readonly activity: "active" | "idle" | "answering";
  /** The entries in the connection table, one per direction that was ever admitted by a rule. */
  readonly tracked: { readonly [direction in Direction]: Pair | null };
}

const AGAINST = { ingress: "egress", egress: "ingress" } as const;

/**
 * One packet. An entry of the opposite direction lets it pass unjudged, whatever the pair: that is
 * how answers pass, and how an end that only answers outlives every policy until the opener speaks.
 * The other consequence: the opener's packet is dropped and its entry deleted, then the peer's next
 * packet is new, and where ingress is allowed it brings the whole flow back. So flows that the pod
 * opened to the outside survive like those that it received.
 */
function sent(flow: Flow, direction: Direction, program: Program): { flow: Flow; passed: boolean } {
  if (flow.peer.kind === "ownNode") return { flow, passed: true };
  const pair = pairOf(program);
  const judgedUnder = flow.tracked[direction];
  if (judgedUnder === pair) return { flow, passed: true };
  if (judgedUnder === null && flow.tracked[AGAINST[direction]] !== null) {
    return { flow, passed: true };
  }
  const passed = admits(program, direction, flow.peer);
  const tracked = { ...flow.tracked, [direction]: passed ? pair : null };
  return { flow: { ...flow, tracked }, passed };
}

function exchange(
  flow: Flow,
  directions: readonly Direction[],
  program: Program,
): { readonly flow: Flow; readonly anyPassed: boolean } {
  let current = flow;
  let anyPassed = false;
  for (const direction of directions) {
    const result = sent(current, direction, program);
    current = result.flow;
    anyPassed ||= result.passed;
  }
  return { flow: current, anyPassed };
}

/** What the flow's own traffic does to its entries whenever the program may have changed. */
export function carriesOn(flow: Flow, program: Program): Flow {
  const { opened } = flow;
  const senders = {
    active: [opened, AGAINST[opened], opened],
    answering: [AGAINST[opened]],
    idle: [],
  } as const;
  return exchange(flow, senders[flow.activity], program).flow;
}

/** The opener's first packet; nobody answers one that did not arrive. */
export function opensFlow(flow: Flow, program: Program): Flow {
  const first = sent(flow, flow.opened, program);
  return first.passed ? sent(first.flow, AGAINST[flow.opened], program).flow : first.flow;
}

/** One direction that passes is enough to carry orders in or loot out: then it is not cut. */
export function stillPasses(flow: Flow, program: Program): boolean {
  const against = AGAINST[flow.opened];
  const directions = flow.activity === "answering" ? [against] : [flow.opened, against];
  return exchange(flow, directions, program).anyPassed;
}
