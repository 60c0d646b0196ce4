import { type BlockNode, blockTree } from "./block-tree.ts";
import { describePolicy } from "./model.ts";
import { ENTITY, type PeerTerm } from "./peers.ts";
import {
  CHANNELS,
  type Channel,
  EVERY_PORT,
  intersection,
  isEmpty,
  isFull,
  NO_PORT,
  type PortSet,
  type Protocol,
  portRange,
  union,
  within,
} from "./ports.ts";
import type { Side } from "./side.ts";
import { FREE, type Passage } from "./walk.ts";

export interface Row {
  /** A number, `"low-high"` or `"any"`. */
  readonly port: number | string;
  /** `other`: something that is neither of the three, ICMP for one. */
  readonly protocol: Protocol | "any" | "other";
  /** The policies of both ends that allow it; empty where nothing isolates. */
  readonly allowedBy: readonly string[];
  /** Of a block of addresses: the smaller ones that it does not hold for. */
  readonly except?: readonly string[];
}

/** What passes both ends, and by whom. */
export interface Way {
  readonly allowed: PortSet;
  readonly grants: readonly { readonly by: string; readonly ports: PortSet }[];
}

export function wayBoth(near: Passage, far: Passage): Way {
  const allowed = intersection(near.allowed, far.allowed);
  const grants = [...near.grants, ...far.grants].flatMap(({ by, ports }) =>
    by ? [{ by: describePolicy(by.rule.by), ports: intersection(ports, allowed) }] : [],
  );
  return { allowed, grants: grants.filter(({ ports }) => !isEmpty(ports)) };
}

/** One row for each range of ports that passes in one of the ways. */
export function rowsOf(ways: readonly Way[]): readonly Row[] {
  return itemsOf(ways).map(({ row }) => row);
}

interface Item {
  readonly row: Row;
  readonly ports: PortSet;
}

function itemsOf(ways: readonly Way[]): readonly Item[] {
  const allowed = ways.reduce((ports, way) => union(ports, way.allowed), NO_PORT);
  const grants = ways.flatMap((way) => way.grants);
  const item = (port: Row["port"], protocol: Row["protocol"], ports: PortSet): Item => ({
    row: { port, protocol, allowedBy: namesOf(grants, ports) },
    ports,
  });
  if (allowed === EVERY_PORT) return [item("any", "any", EVERY_PORT)];
  return CHANNELS.flatMap((channel) =>
    allowed[channel].map(([low, high]) =>
      item(
        describeRange(channel, low, high, isFull(allowed[channel])),
        channel,
        portRange(channel, low, high),
      ),
    ),
  );
}

function namesOf(grants: Way["grants"], ports: PortSet): readonly string[] {
  const names: string[] = [];
  for (const { by, ports: granted } of grants) {
    if (!names.includes(by) && !isEmpty(intersection(granted, ports))) names.push(by);
  }
  return names.length > 1 ? names.sort() : names;
}

function describeRange(channel: Channel, low: number, high: number, full: boolean) {
  if (full || channel === "other") return "any";
  // Port 0 is a place in a range and nothing that a flow can have.
  const first = Math.max(low, 1);
  return first >= high ? high : `${first}-${high}`;
}

interface PeerRow {
  readonly peer: string;
  readonly row: Row;
}

/** Rows of addresses, one for each block that adds something to the block around it. */
export function addressRows(sides: readonly Side[]): readonly PeerRow[] {
  const found: PeerRow[] = [];
  const visit = ({ node, items, children }: Judged, around: readonly Item[]) => {
    // What was said of a block around this one and is not so here is in its `except`. A block that
    // its children fill says nothing itself.
    const still = node.own ? around.filter(({ ports }) => within(ports, portsOf(items))) : around;
    const said = (item: Item) =>
      still.some(({ ports, row }) => within(item.ports, ports) && includes(row, item.row));
    const own = items.filter((item) => !said(item));
    for (const { row, ports } of own) {
      const except = children.flatMap((child) => lacking(child, ports));
      const full = except.length > 0 ? { ...row, except } : row;
      found.push({ peer: node.block.text, row: full });
    }
    for (const child of children) visit(child, [...still, ...own]);
  };
  for (const node of blockTree(
    sides.flatMap(({ stages }) => stages.flatMap(({ entries }) => entries)),
  ))
    visit(judge(node, sides), []);
  return found;
}

interface Judged {
  readonly node: BlockNode;
  readonly items: readonly Item[];
  readonly children: readonly Judged[];
}

function judge(node: BlockNode, sides: readonly Side[]): Judged {
  const { own: address } = node;
  const ways = address
    ? sides.map((side) => wayBoth(side.nearTo({ is: "address", address, mayBeNamed: false }), FREE))
    : [];
  return {
    node,
    items: itemsOf(ways),
    children: node.children.map((child) => judge(child, sides)),
  };
}

/** The outermost blocks in which these ports do not all pass. */
function lacking({ node, items, children }: Judged, ports: PortSet): readonly string[] {
  if (node.own && !within(ports, portsOf(items))) return [node.block.text];
  return children.flatMap((child) => lacking(child, ports));
}

function portsOf(items: readonly Item[]): PortSet {
  return items.map(({ ports }) => ports).reduce(union, NO_PORT);
}

function includes(row: Row, other: Row): boolean {
  return other.allowedBy.every((name) => row.allowedBy.includes(name));
}

/** Rows of what is allowed by name: domains, and Cilium's entities that are no pods. */
export function namedRows(sides: readonly Side[]): readonly PeerRow[] {
  const names = new Set(
    sides.flatMap(({ stages }) =>
      stages.flatMap(({ entries }) =>
        entries
          .filter(({ rule }) => rule.action === "allow")
          .flatMap(({ rule }) => rule.peers.flatMap(({ where }) => namesIn(where))),
      ),
    ),
  );
  return [...names].toSorted().flatMap((name) => {
    const peer = { is: "named", name, families: [4, 6] } as const;
    const ways = sides.map((side) => wayBoth(side.nearTo(peer), FREE));
    return rowsOf(ways).map((row) => ({ peer: name, row }));
  });
}

function namesIn(where: PeerTerm): readonly string[] {
  if (where.is === "and" || where.is === "or") return where.of.flatMap(namesIn);
  if (where.is !== "named") return [];
  if (!where.name.startsWith(ENTITY)) return [where.name];
  const entity = where.name.slice(ENTITY.length);
  // These are pods and addresses, which have rows of their own; and nodes.
  if (entity === "all" || entity === "cluster") return [`${ENTITY}host`, `${ENTITY}remote-node`];
  return entity.startsWith("world") || entity === "none" ? [] : [where.name];
}
