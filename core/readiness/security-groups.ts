import { covers, parseBlock } from "../quarantine/reach/ip.ts";
import type { GroupRule } from "./account.ts";

/** The port of the API server and of every AWS endpoint. */
export const HTTPS = 443;

/** Who is on the other side of a rule. */
export interface Peer {
  /** Groups that the peer is a member of. */
  readonly groupIds: readonly string[];
  /** Ranges that hold all of its addresses; empty when they are not known. */
  readonly ranges: readonly string[];
}

/**
 * Whether rules let HTTPS through between their group and a peer. `unknown` where it depends on the
 * addresses of a prefix list, or on those of a peer that are not known.
 */
export function lets(rules: readonly GroupRule[], peer: Peer): "yes" | "no" | "unknown" {
  const open = rules.filter(forHttps);
  if (open.some(({ groupIds }) => groupIds.some((id) => peer.groupIds.includes(id)))) return "yes";
  const ranges = open.flatMap((rule) => rule.ranges);
  const covered = (range: string) => ranges.some((each) => coversRange(each, range));
  if (peer.ranges.length > 0 && peer.ranges.every(covered)) return "yes";
  if (ranges.some((each) => coversRange(each, "0.0.0.0/0"))) return "yes";
  const unclear = peer.ranges.length === 0 && ranges.length > 0;
  return unclear || open.some(({ prefixListIds }) => prefixListIds.length > 0) ? "unknown" : "no";
}

/** Whether rules let HTTPS out to the addresses of a prefix list. */
export function letsOutTo(rules: readonly GroupRule[], prefixListId: string): boolean {
  const everywhere = (range: string) => coversRange(range, "0.0.0.0/0");
  return rules
    .filter(forHttps)
    .some((rule) => rule.prefixListIds.includes(prefixListId) || rule.ranges.some(everywhere));
}

function forHttps({ protocol, ports }: GroupRule): boolean {
  if (protocol === "-1") return true;
  const tcp = protocol === "tcp" || protocol === "6";
  return tcp && (ports === null || (ports.from <= HTTPS && HTTPS <= ports.to));
}

function coversRange(outer: string, inner: string): boolean {
  const [out, within] = [parseBlock(outer), parseBlock(inner)];
  return out !== null && within !== null && covers(out, within);
}
