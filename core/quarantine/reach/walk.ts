import type { ContainerPort } from "../../kubernetes.ts";
import { MAYBE, type Match, NO, some, YES } from "./match.ts";
import type { CompiledPolicy, Direction, PolicyRule, Rule } from "./model.ts";
import { meets, type Peer } from "./peers.ts";
import {
  difference,
  EVERY_PORT,
  intersection,
  isEmpty,
  NO_PORT,
  type PortMatch,
  type PortSet,
  resolvePorts,
  union,
} from "./ports.ts";

type Receivers = readonly (readonly ContainerPort[])[];

/** A policy that applies to a pod. */
export interface Applied {
  readonly policy: CompiledPolicy;
  /** Maybe: whether it selects the pod was not understood. */
  readonly match: Match;
  /** The container ports of the pods through which it applies. */
  readonly receivers: Receivers;
}

/** A rule in its place in a stage. */
export interface Entry {
  readonly rule: Rule;
  readonly atMost: Match;
  /** Null: not known. */
  readonly receivers: Receivers | null;
}

/** Rules that are decided together; stages follow one another. */
export interface Stage {
  readonly first: boolean;
  readonly entries: readonly Entry[];
  /** The policies that deny what no rule of the stage decides; none: it goes on. */
  readonly isolating: readonly PolicyRule[];
}

/** An entry and the index of its stage. */
export interface PlacedEntry {
  readonly entry: Entry;
  readonly stage: number;
}

/** All entries of some stages, in their order. */
export function placed(stages: readonly Stage[]): readonly PlacedEntry[] {
  return stages.flatMap(({ entries }, stage) => entries.map((entry) => ({ entry, stage })));
}

/** The stages with only some of their entries. */
export function narrowed(
  stages: readonly Stage[],
  entries: readonly PlacedEntry[],
): readonly Stage[] {
  return stages.map((stage, at) => ({
    ...stage,
    entries: entries.filter((each) => each.stage === at).map(({ entry }) => entry),
  }));
}

/** The stages of one direction for a pod. The policies are those of that direction, in their order. */
export function stagesOf(applied: readonly Applied[], direction: Direction): readonly Stage[] {
  const groups = Map.groupBy(applied, ({ policy }) => policy.stage);
  return [...groups.values()].map((members) => ({
    first: members.some(({ policy }) => policy.mode === "first"),
    entries: entriesOf(members, direction),
    isolating: members
      .filter(({ policy, match }) => match === YES && policy[direction].isolates)
      .map(({ policy }) => ({ ...policy.name, rule: null, direction })),
  }));
}

function entriesOf(members: readonly Applied[], direction: Direction): readonly Entry[] {
  const entries = (of: readonly Applied[], atMost: Match): Entry[] =>
    of.flatMap(({ policy, match, receivers }) =>
      policy[direction].rules.map((rule) => ({
        rule,
        receivers,
        atMost: Math.min(atMost, match, rule.atMost ?? YES) as Match,
      })),
    );
  if (members[0]?.policy.mode !== "first") return entries(members, YES);
  const places = Map.groupBy(members, ({ policy }) => policy.order.join("\n"));
  return [...places.values()].flatMap((tied) => {
    // Which of two at the same place is first is not defined: any of them may allow before the
    // other denies.
    const early = tied.length > 1 ? entries(tied, MAYBE) : [];
    return [...early.filter(({ rule }) => rule.action !== "deny"), ...entries(tied, YES)];
  });
}

/** Whether nothing that no rule decides gets through: then only what is allowed does. */
export function isolates(stages: readonly Stage[]): boolean {
  return stages.some(({ isolating }) => isolating.length > 0);
}

const meetsOne = ({ where }: Rule["peers"][number], peer: Peer) => meets(where, peer);

/** How a rule's peers match; the ports are another matter. */
export function matchPeers({ rule, atMost }: Entry, self: Peer, peer: Peer): Match {
  const match = some(rule.peers, meetsOne, peer);
  if (match === NO || !rule.self) return Math.min(match, atMost) as Match;
  return Math.min(match, atMost, meets(rule.self, self)) as Match;
}

/** The ports that a rule decides for a peer that it matches so; null when it decides none. */
export function matchPorts(
  { rule, receivers }: Entry,
  match: Match,
  peer: Peer,
  ports: Receivers,
): PortMatch | null {
  if (match === NO) return null;
  const egressTo = peer.is === "pods" || peer.is === "named" ? null : ports;
  const resolved = resolvePorts(rule.ports, rule.by.direction === "ingress" ? receivers : egressTo);
  return match === YES ? resolved : { must: NO_PORT, may: resolved.may };
}

/** Some ports and who decided on them; `by` null: nothing isolates. */
export interface Decided<By> {
  readonly by: By;
  readonly ports: PortSet;
}

/** What gets through, and by whom; and what does not. */
export interface Passage {
  readonly allowed: PortSet;
  readonly grants: readonly Decided<Entry | null>[];
  readonly denials: readonly Decided<PolicyRule>[];
}

/** Nothing to pass: the other end is no pod of this cluster, or it is the node's network. */
export const FREE: Passage = {
  allowed: EVERY_PORT,
  grants: [{ by: null, ports: EVERY_PORT }],
  denials: [],
};

/**
 * Sends ports through the stages and sees what arrives. A rule that matches maybe may allow and may
 * pass, and still what follows it is decided: whatever can get through in any reading does.
 */
export function walk(
  stages: readonly Stage[],
  matchOf: (entry: Entry) => PortMatch | null,
  ports: PortSet = EVERY_PORT,
): Passage {
  let live = ports;
  let allowed: PortSet = NO_PORT;
  const grants: Decided<Entry | null>[] = [];
  const denials: Decided<PolicyRule>[] = [];
  for (const { first, entries, isolating } of stages) {
    if (isEmpty(live)) break;
    let rest = live;
    let passed: PortSet = NO_PORT;
    let decided: PortSet = NO_PORT;
    for (const entry of entries) {
      if (isEmpty(rest)) break;
      const match = matchOf(entry);
      if (match === null) continue;
      const { action, by } = entry.rule;
      const sure = intersection(rest, match.must);
      if (action === "deny") {
        if (isEmpty(sure)) continue;
        denials.push({ by, ports: sure });
        rest = difference(rest, sure);
        continue;
      }
      const hit = intersection(rest, match.may);
      if (isEmpty(hit)) continue;
      if (action === "pass") passed = union(passed, hit);
      else {
        allowed = union(allowed, hit);
        grants.push({ by: entry, ports: hit });
      }
      // Where what is allowed adds up, every rule that allows a port is named.
      if (first) rest = difference(rest, sure);
      else decided = union(decided, sure);
    }
    rest = difference(rest, decided);
    if (isolating.length > 0 && !isEmpty(rest)) {
      for (const by of isolating) denials.push({ by, ports: rest });
      rest = NO_PORT;
    }
    live = union(rest, passed);
  }
  if (!isEmpty(live)) {
    allowed = union(allowed, live);
    grants.push({ by: null, ports: live });
  }
  return { allowed, grants, denials };
}
