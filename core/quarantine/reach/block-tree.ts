import { type Address, type Block, covers, EVERY_ADDRESS } from "./ip.ts";
import type { Rule } from "./model.ts";
import type { PeerTerm } from "./peers.ts";
import type { Entry } from "./walk.ts";

/** A block and the smaller blocks right below it. */
export interface BlockNode {
  readonly block: Block;
  readonly children: readonly BlockNode[];
  /** An address of the block that is in none of its children: it stands for all such addresses. */
  readonly own: Address | null;
}

/**
 * Every block that the rules mention, nested. Two addresses that are in the same of them cannot be
 * told apart by any rule, so one address of each node answers for all.
 */
export function blockTree(entries: readonly Entry[]): readonly BlockNode[] {
  const mentioned = entries.flatMap(({ rule }) =>
    rule.peers.flatMap(({ where }) => blocksIn(where)),
  );
  const distinct = new Map(
    [...mentioned, ...EVERY_ADDRESS].map((block) => [
      `${block.family}/${block.first}/${block.last}`,
      block,
    ]),
  );
  const sorted = [...distinct.values()].toSorted(outerFirst);
  return nest(sorted, { at: 0 }, null);
}

/** Whether an address decides whom the rule is for. */
export function hasBlocks({ peers }: Rule): boolean {
  return peers.some(({ where }) => mentionsBlocks(where));
}

/** Whether the address of the pod itself decides whether the rule counts. */
export function asksOwnAddress({ self }: Rule): boolean {
  return self !== undefined && mentionsBlocks(self);
}

function mentionsBlocks(where: PeerTerm): boolean {
  if (where.is === "and" || where.is === "or") return where.of.some(mentionsBlocks);
  return where.is === "not" ? mentionsBlocks(where.of) : where.is === "blocks";
}

function blocksIn(where: PeerTerm): readonly Block[] {
  if (where.is === "blocks") return where.blocks;
  if (where.is === "and" || where.is === "or") return where.of.flatMap(blocksIn);
  return where.is === "not" ? blocksIn(where.of) : [];
}

/** The node of a block; null when the tree has none. */
export function nodeOf(block: Block, tree: readonly BlockNode[]): BlockNode | null {
  let low = 0;
  let high = tree.length;
  // The last of those that are not after it.
  while (low < high) {
    const middle = (low + high) >> 1;
    const node = tree[middle];
    if (node && outerFirst(node.block, block) <= 0) low = middle + 1;
    else high = middle;
  }
  const node = tree[low - 1];
  if (!node || !covers(node.block, block)) return null;
  return covers(block, node.block) ? node : nodeOf(block, node.children);
}

function outerFirst(a: Block, b: Block): number {
  if (a.family !== b.family) return a.family - b.family;
  if (a.first !== b.first) return a.first < b.first ? -1 : 1;
  return a.last > b.last ? -1 : a.last < b.last ? 1 : 0;
}

/** Takes from the sorted blocks, from the cursor on, those that are in the outer one. */
function nest(
  sorted: readonly Block[],
  cursor: { at: number },
  outer: Block | null,
): readonly BlockNode[] {
  const nodes: BlockNode[] = [];
  for (let block = sorted[cursor.at]; block; block = sorted[cursor.at]) {
    if (outer && !covers(outer, block)) break;
    cursor.at += 1;
    const children = nest(sorted, cursor, block);
    nodes.push({ block, children, own: ownAddress(block, children) });
  }
  return nodes;
}

function ownAddress(
  { family, first, last }: Block,
  children: readonly BlockNode[],
): Address | null {
  let value = first;
  for (const { block } of children) {
    if (value < block.first) break;
    value = block.last + 1n;
  }
  return value <= last ? { family, value } : null;
}
