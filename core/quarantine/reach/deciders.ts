import { type Block, EVERY_ADDRESS } from "./ip.ts";
import { EVERY_POD } from "./label-expression.ts";
import { Lookup } from "./lookup.ts";
import type { Peer, PeerTerm } from "./peers.ts";
import { narrowed, type PlacedEntry, placed, type Stage } from "./walk.ts";

/**
 * Finds, for a peer, the rules that may decide on it, without asking each. Only what is sure to match
 * takes something away from other rules, so what only may match is left out; but for rules that pass.
 */
export class Deciders {
  readonly #stages: readonly Stage[];
  readonly #entries: readonly PlacedEntry[];
  readonly #byPods = new Lookup();
  /** By address family and size of block, then by the first address. */
  readonly #byBlock = new Map<string, FiledBlocks>();

  constructor(stages: readonly Stage[]) {
    this.#stages = stages;
    this.#entries = placed(stages);
    for (const [at, { entry }] of this.#entries.entries()) {
      for (const { where } of entry.rule.peers) {
        if (entry.rule.action === "pass") this.#byPods.add(EVERY_POD, at);
        else this.#file(where, at);
      }
    }
  }

  #file(where: PeerTerm, at: number): void {
    const parts = where.is === "and" ? where.of : [where];
    const pods = parts.find((part) => part.is === "pods");
    const blocks = parts.find((part) => part.is === "blocks");
    if (pods || !blocks) this.#byPods.add(pods?.where ?? EVERY_POD, at);
    else for (const block of blocks.blocks) this.#fileBlock(block, at);
  }

  #fileBlock({ family, first, last }: Block, at: number): void {
    const size = last - first + 1n;
    const key = `${family}/${size}`;
    const filed = this.#byBlock.get(key) ?? { family, size, byFirst: new Map() };
    this.#byBlock.set(key, filed);
    const there = filed.byFirst.get(first);
    if (there) there.push(at);
    else filed.byFirst.set(first, [at]);
  }

  /** The stages with every rule that is sure to match the peer, and some more. */
  stagesFor(peer: Peer): readonly Stage[] {
    const values = peer.is === "pods" ? [...peer.facts.values.values()] : [];
    // Labels that no pod can have: no single value stands for them.
    if (values.some(({ length }) => length === 0)) return this.#stages;
    const found = this.#byPods.candidates({
      get: (key) => (peer.is === "pods" ? peer.facts.values.get(key)?.[0] : undefined),
    });
    const ats = new Set([...found, ...blocksOf(peer).flatMap((block) => this.#around(block))]);
    const sorted = [...ats].sort((a, b) => a - b);
    return narrowed(
      this.#stages,
      sorted.flatMap((at) => this.#entries[at] ?? []),
    );
  }

  /** The rules of the blocks that a block is in. */
  #around({ family, first, last }: Pick<Block, "family" | "first" | "last">): readonly number[] {
    const found: number[] = [];
    for (const filed of this.#byBlock.values()) {
      if (filed.family !== family || filed.size < last - first + 1n) continue;
      for (const at of filed.byFirst.get(first - (first % filed.size)) ?? []) found.push(at);
    }
    return found;
  }
}

interface FiledBlocks extends Pick<Block, "family"> {
  readonly size: bigint;
  readonly byFirst: Map<bigint, number[]>;
}

/** Where the peer is, as far as it is known. */
function blocksOf(peer: Peer): readonly Pick<Block, "family" | "first" | "last">[] {
  if (peer.is === "address") {
    const { family, value } = peer.address;
    return [{ family, first: value, last: value }];
  }
  return peer.is === "pods" && peer.block ? [peer.block] : EVERY_ADDRESS;
}
