import { asksOwnAddress, hasBlocks } from "./block-tree.ts";
import { EVERY_POD, type LabelExpression } from "./label-expression.ts";
import { Lookup } from "./lookup.ts";
import { MAYBE, type Match, NO, YES } from "./match.ts";
import type { Direction, Rule } from "./model.ts";
import type { Peer, PeerTerm } from "./peers.ts";
import type { PodClass } from "./pod-class.ts";
import { hasNames } from "./ports.ts";
import {
  type Entry,
  FREE,
  matchPeers,
  matchPorts,
  narrowed,
  type Passage,
  type PlacedEntry,
  placed,
  type Stage,
  walk,
} from "./walk.ts";
import type { PreparedEngine, PreparedPod } from "./world.ts";

/**
 * One direction of one pod, asked about every other pod. `near` is what the pod's own policies let
 * through, `far` what the other's do. Each is decided once for all pods that it cannot tell apart.
 */
export class Side {
  readonly stages: readonly Stage[];
  readonly #engine: PreparedEngine;
  readonly #subject: PreparedPod;
  readonly #direction: Direction;
  readonly #entries: readonly SideEntry[];
  /** Entries by the pods they may be for; those that any pod may meet are under every pod. */
  readonly #lookup = new Lookup();
  readonly #named: boolean;
  readonly #byClass = new Map<PodClass, Matches>();
  readonly #byKey = new Map<string, Matches>();
  readonly #far = new Map<readonly Stage[], Passage>();
  readonly #peersOfRule = new Map<Rule, Match>();

  constructor(engine: PreparedEngine, subject: PreparedPod, direction: Direction) {
    this.#engine = engine;
    this.#subject = subject;
    this.#direction = direction;
    this.stages = engine.stages(subject, direction);
    this.#entries = placed(this.stages).map(({ entry, stage }) => {
      return { entry, stage, byBlock: hasBlocks(entry.rule) };
    });
    const rules = this.#entries.map(({ entry }) => entry.rule);
    this.#named = direction === "egress" && rules.some(({ ports }) => hasNames(ports));
    for (const [at, rule] of rules.entries()) {
      for (const { where } of rule.peers) this.#lookup.add(selectorIn(where), at);
    }
  }

  /** What the pod's own policies let through for another pod: the same object for the same. */
  near(pod: PreparedPod): Passage {
    const matches = this.#matchesOf(pod);
    let key = "";
    for (const { entry } of matches.addressed) key += matchPeers(entry, this.#subject, pod);
    let passage = matches.passages.get(key);
    if (!passage) {
      passage = this.#walkNear(pod, matches);
      matches.passages.set(key, passage);
    }
    return passage;
  }

  /** What the other pod's policies let through for this one: the same object for the same. */
  far(pod: PreparedPod): Passage {
    const stages = this.#engine.stages(pod, this.#direction === "ingress" ? "egress" : "ingress");
    if (stages.length === 0) return FREE;
    let passage = this.#far.get(stages);
    if (!passage) {
      const subject = this.#subject;
      const ports = [subject.class.ports];
      passage = walk(stages, (entry) =>
        matchPorts(entry, this.#matchSubject(entry, pod), subject, ports),
      );
      // What a rule asks of the address of its own pod is for that pod alone.
      if (!stages.some(({ entries }) => entries.some(({ rule }) => asksOwnAddress(rule)))) {
        this.#far.set(stages, passage);
      }
    }
    return passage;
  }

  /** What the pod's own policies let through for a peer that is no pod. */
  nearTo(peer: Peer): Passage {
    return walk(this.stages, (entry) =>
      matchPorts(entry, matchPeers(entry, this.#subject, peer), peer, [[]]),
    );
  }

  /** How the entries match the pods of a class; what depends on their addresses is left open. */
  #matchesOf(pod: PreparedPod): Matches {
    const known = this.#byClass.get(pod.class);
    if (known) return known;
    const settled = new Map<Entry, Match>();
    const candidates: SideEntry[] = [];
    // Who receives matters to a rule with names of ports in egress.
    let key = this.#named ? `${JSON.stringify(pod.class.ports)};` : "";
    for (const at of this.#lookup.candidates(pod.attributes)) {
      const candidate = this.#entries[at];
      if (!candidate) continue;
      const { entry, byBlock } = candidate;
      const match = byBlock ? MAYBE : matchPeers(entry, this.#subject, pod);
      if (match === NO) continue;
      candidates.push(candidate);
      if (!byBlock) settled.set(entry, match);
      key += `${at}=${byBlock ? "?" : match},`;
    }
    let matches = this.#byKey.get(key);
    if (!matches) {
      const stages = narrowed(this.stages, candidates);
      const addressed = candidates.filter(({ byBlock }) => byBlock);
      matches = { stages, settled, addressed, passages: new Map() };
      this.#byKey.set(key, matches);
    }
    this.#byClass.set(pod.class, matches);
    return matches;
  }

  #walkNear(pod: PreparedPod, { stages, settled }: Matches): Passage {
    const ports = [pod.class.ports];
    return walk(stages, (entry) => {
      const match = settled.get(entry) ?? matchPeers(entry, this.#subject, pod);
      return matchPorts(entry, match, pod, ports);
    });
  }

  /** How a rule of another pod matches this one; the rule's own peers are asked only once. */
  #matchSubject(entry: Entry, pod: PreparedPod): Match {
    const { rule, atMost } = entry;
    if (rule.self) return matchPeers(entry, pod, this.#subject);
    let match = this.#peersOfRule.get(rule);
    if (match === undefined) {
      match = matchPeers({ ...entry, atMost: YES }, pod, this.#subject);
      this.#peersOfRule.set(rule, match);
    }
    return Math.min(match, atMost) as Match;
  }
}

interface SideEntry extends PlacedEntry {
  /** It has blocks, so that a pod's address decides on it too. */
  readonly byBlock: boolean;
}

/** How a pod's entries match all pods of some classes. */
interface Matches {
  /** Only with the entries that may match. */
  readonly stages: readonly Stage[];
  readonly settled: ReadonlyMap<Entry, Match>;
  /** The entries that depend on the address too. */
  readonly addressed: readonly SideEntry[];
  /** By how those match. */
  readonly passages: Map<string, Passage>;
}

/** The selector that a pod must meet to meet the condition; every pod when there is no one such. */
function selectorIn(where: PeerTerm): LabelExpression {
  if (where.is === "pods") return where.where;
  if (where.is !== "and") return EVERY_POD;
  const pods = where.of.find(({ is }) => is === "pods");
  return pods?.is === "pods" ? pods.where : EVERY_POD;
}
