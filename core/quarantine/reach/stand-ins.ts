import { type BlockNode, nodeOf } from "./block-tree.ts";
import { type Block, covers, type Family } from "./ip.ts";
import { both, type Facts, factsOf, NO_FACTS } from "./label-expression.ts";
import type { Direction } from "./model.ts";
import { ENTITY, type Peer, type PeerTerm } from "./peers.ts";

/** What is around a pod whose peers are not known. */
export interface Surroundings {
  readonly tree: readonly BlockNode[];
  /** Of the pod's own addresses: it speaks no other. */
  readonly families: readonly Family[];
  /** Cilium knows nodes by name, not by their address. */
  readonly nodesAreNamed: boolean;
}

/** A peer that stands for many. */
export interface StandIn {
  /** The same for those that nothing tells apart. */
  readonly key: string;
  readonly peer: Peer;
  /** The block of addresses that it stands for. */
  readonly block?: Block;
}

/** Peers that stand for all that a condition may match: what holds for none of them holds for none. */
export function standIns(where: PeerTerm, around: Surroundings): readonly StandIn[] {
  switch (where.is) {
    case "or":
      return where.of.flatMap((part) => standIns(part, around));
    case "and": {
      const pods = where.of.flatMap((part) => (part.is === "pods" ? [part.where] : []));
      if (pods.length > 0) return standIns({ is: "pods", where: both(...pods) }, around);
      // Whatever meets all parts meets this one.
      const part = where.of.find(({ is }) => is === "blocks" || is === "named" || is === "or");
      return part ? standIns(part, around) : everyone(around);
    }
    case "pods":
      return [podsWith(factsOf(where.where), null, around)];
    case "blocks":
      return [
        ...where.blocks.flatMap((block) => [
          podsWith(NO_FACTS, block, around),
          ...addresses(around, block),
        ]),
        ...nodes(around),
      ];
    case "named":
      return where.name.startsWith(ENTITY) ? everyone(around) : [named(where.name, around)];
    default:
      return everyone(around);
  }
}

function everyone(around: Surroundings): readonly StandIn[] {
  return [podsWith(NO_FACTS, null, around), ...addresses(around, null), ...nodes(around)];
}

function podsWith(facts: Facts, block: Block | null, { families }: Surroundings): StandIn {
  const where = block ? `${block.family} ${block.first} ${block.last}` : "anywhere";
  const key = `pods ${where} ${[...facts.held].join()}`;
  return { key, peer: { is: "pods", facts, block, families } };
}

function named(name: string, { families }: Surroundings): StandIn {
  return { key: `named ${name}`, peer: { is: "named", name, families } };
}

function nodes(around: Surroundings): readonly StandIn[] {
  const names = ["host", "remote-node", "kube-apiserver", "health", "ingress", "unmanaged", "init"];
  return (around.nodesAreNamed ? names : []).map((name) => named(`${ENTITY}${name}`, around));
}

function addresses({ tree, families }: Surroundings, within: Block | null): readonly StandIn[] {
  const found: StandIn[] = [];
  const visit = ({ block, children, own }: BlockNode) => {
    const inside = within === null || covers(within, block);
    if (own && inside && families.includes(own.family)) {
      const peer = { is: "address", address: own, mayBeNamed: true } as const;
      found.push({ key: `address ${own.family} ${own.value}`, peer, block });
    }
    children.forEach(visit);
  };
  // A rule's own block is in the tree: what is inside it is below.
  const top = within && nodeOf(within, tree);
  if (top) visit(top);
  else tree.forEach(visit);
  return found;
}

/** The text of a rule's peers, and which of them are left when not all are. */
export function describeLeft(
  text: string,
  all: readonly StandIn[],
  open: readonly StandIn[],
  direction: Direction,
): string {
  if (open.length === all.length) return text;
  const of = (standing: readonly StandIn[], is: Peer["is"]) =>
    standing.filter(({ peer }) => peer.is === is);
  const shut = of(all, "address").filter((each) => !open.includes(each));
  const end = direction === "ingress" ? "sources" : "destinations";
  const kinds = [
    of(open, "pods").length > 0 ? "pods" : "",
    of(open, "address").length > 0 && of(open, "pods").length === 0
      ? `${end} that are no pods`
      : "",
    of(open, "address").length > 0 && of(open, "pods").length > 0 ? "addresses" : "",
    ...of(open, "named").map(({ peer }) => (peer.is === "named" ? peer.name : "")),
  ].filter((kind) => kind !== "");
  const except =
    of(open, "address").length > 0 && shut.length > 0
      ? ` except ${shut.map(({ block }) => block?.text).join(", ")}`
      : "";
  return `${text} (only ${kinds.join(", ")}${except})`;
}
