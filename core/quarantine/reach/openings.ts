import type { NetworkPolicy, PolicySet } from "../../policies.ts";
import { blockTree, hasBlocks } from "./block-tree.ts";
import { Deciders } from "./deciders.ts";
import { type Family, parseAddress } from "./ip.ts";
import {
  type Cni,
  type Direction,
  describePolicy,
  type PolicyRule,
  type Subject,
  type Unreadable,
  type WorldPod,
} from "./model.ts";
import type { Peer } from "./peers.ts";
import { describePorts, ON_EVERY_PORT } from "./ports.ts";
import { describeLeft, type StandIn, type Surroundings, standIns } from "./stand-ins.ts";
import {
  type Entry,
  isolates,
  matchPeers,
  matchPorts,
  type PlacedEntry,
  type Stage,
  walk,
} from "./walk.ts";
import { type PreparedEngine, type PreparedPod, prepare } from "./world.ts";

/** Something that may still pass. */
export interface Opening {
  readonly direction: Direction;
  /** The rule that allows it; null: nothing isolates the pod, so nobody has to. */
  readonly by: PolicyRule | null;
  /** Short texts for people. */
  readonly peers: string;
  readonly ports: string;
}

export interface Openings {
  readonly isolated: Readonly<Record<Direction, boolean>>;
  readonly openings: readonly Opening[];
  /** Of the policies that may select the pod, what was not understood. */
  readonly unreadable: readonly Unreadable[];
}

/**
 * What the policies leave open for a pod, whoever the peers are. Nothing is open only when no flow
 * could pass, whatever pods, addresses and names there are; the pod's own node is left aside, which
 * no policy keeps away. Of the AWS VPC CNI, the siblings that share the pod's rules have to be told.
 */
export function openingsOf(
  subject: Subject,
  policies: PolicySet,
  cni: Cni | null,
  siblings: readonly WorldPod[] = [],
): Openings {
  const { namespace, namespaceLabels } = subject;
  // Of another namespace these select no pod of this one.
  const here = ({ metadata }: NetworkPolicy) => (metadata.namespace ?? namespace) === namespace;
  const world = {
    pods: [subject, ...siblings],
    namespaces: { [namespace]: namespaceLabels },
    policies: {
      ...policies,
      networkPolicies: policies.networkPolicies.filter(here),
      applicationNetworkPolicies: policies.applicationNetworkPolicies.filter(here),
    },
    cni,
  };
  const { pods, engines } = prepare(world);
  const [pod] = pods;
  if (!pod) throw new Error("a world without its subject");
  const seen = engines.map((engine) => throughEngine(engine, pod));
  return {
    isolated: {
      ingress: seen.every(({ isolated }) => isolated.ingress),
      egress: seen.every(({ isolated }) => isolated.egress),
    },
    openings: seen.flatMap(({ openings }) => openings),
    unreadable: seen.flatMap(({ unreadable }) => unreadable),
  };
}

function throughEngine(engine: PreparedEngine, pod: PreparedPod): Openings {
  const policies = engine.applied(pod);
  const stages = {
    ingress: engine.stages(pod, "ingress"),
    egress: engine.stages(pod, "egress"),
  };
  return {
    isolated: { ingress: isolates(stages.ingress), egress: isolates(stages.egress) },
    openings: (["ingress", "egress"] as const).flatMap((direction) =>
      throughStages(engine, pod, stages[direction], direction),
    ),
    unreadable: unreadableOf(engine, new Set(policies.map(({ policy }) => policy.name))),
  };
}

function throughStages(
  engine: PreparedEngine,
  pod: PreparedPod,
  stages: readonly Stage[],
  direction: Direction,
): readonly Opening[] {
  // Where what is allowed adds up, one allow rule takes nothing from another.
  const denying = stages.map((stage) =>
    stage.first
      ? stage
      : { ...stage, entries: stage.entries.filter(({ rule }) => rule.action !== "allow") },
  );
  const families = familiesOf(pod);
  const nodesAreNamed = engine.kind === "cilium";
  const aroundWith = (...more: readonly Entry[]): Surroundings => {
    const entries = [...denying.flatMap((stage) => stage.entries), ...more];
    return { tree: blockTree(entries), families, nodesAreNamed };
  };
  const around = aroundWith();
  const passes = passing(denying, pod);
  const openings = new Map<string, Opening>();
  for (const [at, stage] of stages.entries()) {
    for (const entry of stage.entries.filter(({ rule }) => rule.action === "allow")) {
      // Of the blocks of other rules that take nothing from it, none makes a difference to it.
      const here = stage.first || !hasBlocks(entry.rule) ? around : aroundWith(entry);
      const left = entry.rule.peers.flatMap(({ where, text }) => {
        const all = standIns(where, here);
        const open = all.filter((standIn) => passes(standIn, { entry, stage: at }));
        return open.length > 0 ? [describeLeft(text, all, open, direction)] : [];
      });
      if (left.length === 0) continue;
      const opening = {
        direction,
        by: entry.rule.by,
        peers: left.join("; "),
        ports: describePorts(entry.rule.ports),
      };
      openings.set(JSON.stringify(opening), opening);
    }
  }
  const everyone = standIns({ is: "anyone" }, around);
  const undecided = everyone.filter((standIn) => passes(standIn, null));
  if (undecided.length > 0) {
    const peers = describeLeft("anywhere", everyone, undecided, direction);
    openings.set("", { direction, by: null, peers, ports: describePorts(ON_EVERY_PORT) });
  }
  return [...openings.values()];
}

/**
 * Whether a rule, in its stage, lets something of a peer through; without one, whether no rule
 * decides on it. What the deciding rules make of a peer is worked out once for all of them.
 */
function passing(denying: readonly Stage[], pod: PreparedPod) {
  const deciders = new Deciders(denying);
  const known = new Map<string, Decided>();
  const granted = (stages: readonly Stage[], peer: Peer) => {
    const { grants } = walk(stages, (entry) => {
      // A pod whose container ports were not told may have any.
      const told = pod.pod.ports.length > 0 || entry.rule.by.direction === "egress";
      const match = matchPeers(entry, pod, peer);
      return matchPorts(told ? entry : { ...entry, receivers: null }, match, peer, []);
    });
    return new Set(grants.map(({ by }) => by));
  };
  return ({ key, peer }: StandIn, wanted: PlacedEntry | null): boolean => {
    let decided = known.get(key);
    if (!decided) {
      const stages = deciders.stagesFor(peer);
      const entries = new Set(stages.flatMap((stage) => stage.entries));
      decided = { stages, entries, granted: granted(stages, peer) };
      known.set(key, decided);
    }
    if (wanted === null) return decided.granted.has(null);
    const { entry } = wanted;
    if (decided.entries.has(entry)) return decided.granted.has(entry);
    return granted(withEntry(decided.stages, denying, wanted), peer).has(entry);
  };
}

/** Some of the deciding rules, and one rule more in its place. */
function withEntry(
  some: readonly Stage[],
  denying: readonly Stage[],
  { entry, stage }: PlacedEntry,
): readonly Stage[] {
  return some.map((there, at) => {
    if (at !== stage) return there;
    if (!there.first) return { ...there, entries: [...there.entries, entry] };
    const all = denying[at]?.entries ?? [];
    const entries = all.filter((each) => each === entry || there.entries.includes(each));
    return { ...there, entries };
  });
}

/** What is decided on a peer, by rules that decide whatever else there is. */
interface Decided {
  readonly stages: readonly Stage[];
  readonly entries: ReadonlySet<Entry>;
  readonly granted: ReadonlySet<Entry | null>;
}

function familiesOf({ pod }: PreparedPod): readonly Family[] {
  const known = pod.ips.map((ip) => parseAddress(ip)?.family);
  const families = ([4, 6] as const).filter((family) => known.includes(family));
  return known.length > 0 && !known.includes(undefined) ? families : [4, 6];
}

/** What was not understood of these policies, and of those that could not be read at all. */
export function unreadableOf(
  { unreadable, policies }: Pick<PreparedEngine, "unreadable" | "policies">,
  names: ReadonlySet<Unreadable["policy"]>,
): readonly Unreadable[] {
  const read = new Set(policies.map(({ name }) => name));
  const unique = new Map(
    unreadable
      .filter(({ policy }) => names.has(policy) || !read.has(policy))
      .map((each) => [
        JSON.stringify([describePolicy(each.policy), each.direction, each.rule, each.why]),
        each,
      ]),
  );
  return [...unique.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}
