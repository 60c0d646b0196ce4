/** IPv4 and IPv6 as numbers. `node:net` is not for core, and it compares no ranges anyway. */
export type Family = 4 | 6;

export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

/** The addresses of one CIDR, both ends included. */
export interface Block {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
  /** As it was written, for people. */
  readonly text: string;
}

export const EVERY_ADDRESS: readonly Block[] = [
  { family: 4, first: 0n, last: (1n << 32n) - 1n, text: "0.0.0.0/0" },
  { family: 6, first: 0n, last: (1n << 128n) - 1n, text: "::/0" },
];

/** `::ffff:0:0/96`: an IPv4 address in IPv6 clothes is that IPv4 address. */
const MAPPED = 0xffffn << 32n;

/** Null for what is no address. A zone (`%eth0`) and a leading zero (`010.`) make it none, as in Go. */
export function parseAddress(text: string): Address | null {
  const plain = parsePlain(text);
  if (plain === null || plain.family === 4 || plain.value >> 32n !== 0xffffn) return plain;
  return { family: 4, value: plain.value & 0xffffffffn };
}

/** A CIDR, or one address. Host bits are masked off, as Kubernetes does. Null for anything else. */
export function parseBlock(text: string): Block | null {
  const slash = text.indexOf("/");
  const plain = parsePlain(slash < 0 ? text : text.slice(0, slash));
  if (plain === null) return null;
  const width = plain.family === 4 ? 32 : 128;
  const prefix = slash < 0 ? width : parseDecimal(text.slice(slash + 1), width);
  if (prefix === null) return null;
  const size = 1n << BigInt(width - prefix);
  const first = plain.value - (plain.value % size);
  const written = slash < 0 ? `${text}/${width}` : text;
  if (plain.family === 6 && first >> 32n === 0xffffn && prefix >= 96) {
    return { family: 4, first: first - MAPPED, last: first - MAPPED + size - 1n, text: written };
  }
  return { family: plain.family, first, last: first + size - 1n, text: written };
}

export function contains(block: Block, { family, value }: Address): boolean {
  return block.family === family && block.first <= value && value <= block.last;
}

/** True when every address of the inner block is in the outer one. */
export function covers(outer: Block, inner: Block): boolean {
  return outer.family === inner.family && outer.first <= inner.first && inner.last <= outer.last;
}

/** CIDRs are nested or apart; nothing else. */
export function overlap(one: Block, other: Block): boolean {
  return covers(one, other) || covers(other, one);
}

function parsePlain(text: string): Address | null {
  const value = text.includes(":") ? parseV6(text) : parseV4(text);
  return value === null ? null : { family: text.includes(":") ? 6 : 4, value };
}

function parseV4(text: string): bigint | null {
  let value = 0;
  let parts = 1;
  let part = -1;
  // By hand: a world has an address for every pod.
  for (let at = 0; at < text.length; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (digit === DOT) {
      if (part < 0) return null;
      value = value * 256 + part;
      parts += 1;
      part = -1;
    } else {
      // A part has no leading zero.
      if (digit < 0 || digit > 9 || part === 0) return null;
      part = part < 0 ? digit : part * 10 + digit;
      if (part > 255) return null;
    }
  }
  return parts === 4 && part >= 0 ? BigInt(value * 256 + part) : null;
}

const DOT = ".".charCodeAt(0) - 48;

function parseV6(text: string): bigint | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const groups = halves.map((half, at) => parseGroups(half, at === halves.length - 1));
  const [head, tail] = groups;
  if (!head || tail === null) return null;
  const missing = 8 - head.length - (tail?.length ?? 0);
  // "::" stands for one group of zeros or more; without it there are eight groups.
  if (tail === undefined ? missing !== 0 : missing < 1) return null;
  const all = [...head, ...Array<bigint>(missing).fill(0n), ...(tail ?? [])];
  return all.reduce((value, group) => (value << 16n) | group, 0n);
}

/** The 16-bit groups of one side of `::`; an IPv4 address may be the last two. */
function parseGroups(text: string, isLast: boolean): bigint[] | null {
  if (text === "") return [];
  const parts = text.split(":");
  const groups: bigint[] = [];
  for (const [at, part] of parts.entries()) {
    if (isLast && at === parts.length - 1 && part.includes(".")) {
      const v4 = parseV4(part);
      if (v4 === null) return null;
      groups.push(v4 >> 16n, v4 & 0xffffn);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(BigInt(`0x${part}`));
    } else {
      return null;
    }
  }
  return groups;
}

function parseDecimal(text: string, max: number): number | null {
  if (!/^(0|[1-9]\d{0,2})$/.test(text)) return null;
  const value = Number(text);
  return value <= max ? value : null;
}
