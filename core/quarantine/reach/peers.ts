import { type Address, type Block, contains, covers, type Family, overlap } from "./ip.ts";
import {
  type Attributes,
  type Facts,
  follows,
  holds,
  type LabelExpression,
} from "./label-expression.ts";
import { every, MAYBE, type Match, NO, not, some, YES } from "./match.ts";

/** A condition on the other end of a flow. */
export type PeerTerm =
  | { readonly is: "anyone" | "unclear" }
  | { readonly is: "and" | "or"; readonly of: readonly PeerTerm[] }
  | { readonly is: "not"; readonly of: PeerTerm }
  | { readonly is: "pods"; readonly where: LabelExpression }
  | {
      readonly is: "blocks";
      readonly blocks: readonly Block[];
      /** What a pod with such an address is at most: for Cilium, blocks are not for pods. */
      readonly pods: Match;
    }
  /** A domain, or an entity of Cilium: an address that the policy does not say. */
  | { readonly is: "named"; readonly name: string };

export const ANYONE: PeerTerm = { is: "anyone" };
export const UNCLEAR: PeerTerm = { is: "unclear" };

/** The other end of a flow: known, or standing for all that have something in common. */
export type Peer =
  | {
      readonly is: "pod";
      readonly attributes: Attributes;
      /** Empty: not known. */
      readonly addresses: readonly Address[];
      /** On its node's network: to policies it is an address, not a pod. */
      readonly host: boolean;
    }
  | {
      readonly is: "address";
      readonly address: Address;
      /** It may be the address of a domain or a node that a rule names. */
      readonly mayBeNamed: boolean;
    }
  | {
      readonly is: "pods";
      readonly facts: Facts;
      /** Where their addresses are. Null: anywhere. */
      readonly block: Block | null;
      readonly families: readonly Family[];
    }
  | { readonly is: "named"; readonly name: string; readonly families: readonly Family[] };

export function meets(term: PeerTerm, peer: Peer): Match {
  switch (term.is) {
    case "anyone":
      return YES;
    case "unclear":
      return MAYBE;
    case "and":
      return every(term.of, meets, peer);
    case "or":
      return some(term.of, meets, peer);
    case "not":
      return not(meets(term.of, peer));
    case "pods":
      if (peer.is === "pods") return follows(term.where, peer.facts);
      return peer.is === "pod" && !peer.host ? holds(term.where, peer.attributes) : NO;
    case "blocks":
      return inBlocks(term.blocks, term.pods, peer);
    case "named":
      return isNamed(term.name, peer);
  }
}

function inBlocks(blocks: readonly Block[], pods: Match, peer: Peer): Match {
  switch (peer.is) {
    case "address":
      return inAny(blocks, peer.address) ? YES : NO;
    case "pod": {
      // The addresses of nodes are a matter of configuration where blocks are not for pods.
      const most = peer.host && pods === NO ? MAYBE : pods;
      if (most === NO) return NO;
      if (peer.addresses.length === 0) return blocks.length > 0 ? MAYBE : NO;
      let inside = 0;
      for (const address of peer.addresses) if (inAny(blocks, address)) inside += 1;
      // A flow has one of the pod's addresses; which one is not known.
      if (inside === 0) return NO;
      return inside === peer.addresses.length && most === YES ? YES : MAYBE;
    }
    case "pods": {
      const { block } = peer;
      if (pods === NO || blocks.length === 0) return NO;
      if (block && !blocks.some((each) => overlap(each, block))) return NO;
      const sure = block
        ? blocks.some((each) => covers(each, block))
        : coverAll(blocks, peer.families);
      return sure && pods === YES ? YES : MAYBE;
    }
    case "named": {
      const sure = pods === YES || !peer.name.startsWith(ENTITY);
      if (blocks.length === 0) return NO;
      return sure && coverAll(blocks, peer.families) ? YES : MAYBE;
    }
  }
}

function inAny(blocks: readonly Block[], address: Address): boolean {
  for (const block of blocks) if (contains(block, address)) return true;
  return false;
}

function coverAll(blocks: readonly Block[], families: readonly Family[]): boolean {
  return families.every((family) =>
    blocks.some(
      (block) =>
        block.family === family &&
        block.first === 0n &&
        block.last === (1n << (family === 4 ? 32n : 128n)) - 1n,
    ),
  );
}

/** Names of Cilium's entities start so; what has no such start is a domain. */
export const ENTITY = "entity ";
const NODES = ["host", "remote-node", "kube-apiserver"];
/** `ingress`, `health` and the like are pods or proxies of the cluster that carry no labels. */
const IN_CLUSTER = [...NODES, "ingress", "init", "health", "unmanaged"];
export const ENTITIES: readonly string[] = [
  "all",
  "world",
  "world-ipv4",
  "world-ipv6",
  "cluster",
  "none",
  ...IN_CLUSTER,
];

function isNamed(name: string, peer: Peer): Match {
  if (peer.is === "named" && peer.name === name) return YES;
  if (!name.startsWith(ENTITY)) {
    return (peer.is === "address" && peer.mayBeNamed) || peer.is === "named" ? MAYBE : NO;
  }
  const entity = name.slice(ENTITY.length);
  if (entity === "all") return YES;
  if (entity === "none") return NO;
  switch (peer.is) {
    case "pods":
      return entity === "cluster" ? YES : entity === "unmanaged" ? MAYBE : NO;
    case "pod":
      if (entity === "cluster") return YES;
      if (entity === "unmanaged") return MAYBE;
      return peer.host && NODES.includes(entity) ? MAYBE : NO;
    case "address":
      // Of an address all that is known is that it is no pod's; most likely it is outside.
      if (entity === "world") return YES;
      if (entity === `world-ipv${peer.address.family}`) return YES;
      if (entity.startsWith("world")) return NO;
      return peer.mayBeNamed ? MAYBE : NO;
    case "named": {
      if (!peer.name.startsWith(ENTITY)) return MAYBE;
      const other = peer.name.slice(ENTITY.length);
      if (entity === "cluster" && IN_CLUSTER.includes(other)) return YES;
      const apart = entity.startsWith("world") !== other.startsWith("world");
      return apart ? NO : MAYBE;
    }
  }
}
