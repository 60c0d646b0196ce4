import { blockPeer } from "./kubernetes-policy.ts";
import {
  both,
  describePods,
  EVERY_POD,
  inNamespace,
  type LabelExpression,
} from "./label-expression.ts";
import { ciliumKey, selectorExpression } from "./label-selector.ts";
import type { Match } from "./match.ts";
import type { Direction, PolicyRule, Rule } from "./model.ts";
import { ENTITIES, ENTITY, UNCLEAR } from "./peers.ts";
import {
  type Channel,
  LAST_PORT,
  type Ports,
  type PortTerm,
  PROTOCOLS,
  SOME_OTHER,
} from "./ports.ts";
import { type Fields, fieldsOf, isPort, listOf, strangers, stringsOf } from "./reading.ts";

type Peers = Rule["peers"];
type Problem = (why: string) => void;

const ANY_SIDE = ["toPorts", "icmps", "authentication"];

/** The fields of a rule, by direction. */
export const SIDES = {
  ingress: {
    prefix: "from",
    known: [
      ...ANY_SIDE,
      "fromEndpoints",
      "fromRequires",
      "fromEntities",
      "fromCIDR",
      "fromCIDRSet",
      "fromGroups",
      "fromNodes",
    ],
  },
  egress: {
    prefix: "to",
    known: [
      ...ANY_SIDE,
      "toEndpoints",
      "toRequires",
      "toEntities",
      "toCIDR",
      "toCIDRSet",
      "toGroups",
      "toNodes",
      "toFQDNs",
      "toServices",
    ],
  },
} as const satisfies Record<Direction, unknown>;

/** The peers of a rule, any of which it is for; null when it names none. */
export function ciliumPeers(
  fields: Fields,
  by: PolicyRule,
  blocksForPods: Match,
  problem: Problem,
): Peers | null {
  const { prefix } = SIDES[by.direction];
  const read = (field: string, peerOf: (value: unknown) => Peers[number] | null): Peers | null => {
    const key = `${prefix}${field}`;
    if (!(key in fields)) return null;
    const peers = listOf(fields[key])?.map(peerOf);
    if (peers && !peers.includes(null)) return peers.filter((peer) => peer !== null);
    problem(key);
    return [NOT_UNDERSTOOD];
  };
  const required = (listOf(fields[`${prefix}Requires`]) ?? []).map((selector) =>
    selectorExpression(selector, ciliumKey, problem),
  );
  const notRead = () => {
    problem("a peer that is not in any policy (service, group or node)");
    return NOT_UNDERSTOOD;
  };
  const lists = [
    read("Endpoints", (selector) => endpoints(selector, required, by, problem)),
    read("Entities", entity),
    read("CIDR", (cidr) =>
      typeof cidr === "string" ? blockPeer(cidr, [], blocksForPods, problem) : null,
    ),
    read("CIDRSet", (set) => cidrSet(fieldsOf(set), blocksForPods, problem)),
    read("FQDNs", domain),
    ...["Services", "Groups", "Nodes"].map((field) => read(field, notRead)),
    // A requirement alone lets nobody in.
    read("Requires", () => NOT_UNDERSTOOD) && [],
  ];
  return lists.every((list) => list === null) ? null : lists.flatMap((list) => list ?? []);
}

const NOT_UNDERSTOOD = { where: UNCLEAR, text: "a peer that is not understood" };

/** In a namespace's policy a selector that names no namespace means that namespace. */
function endpoints(
  selector: unknown,
  required: readonly LabelExpression[],
  { namespace }: PolicyRule,
  problem: Problem,
): Peers[number] {
  const selected = selectorExpression(selector, ciliumKey, problem);
  const named = mentionsNamespace(selected);
  const home = namespace === null || named ? EVERY_POD : inNamespace(namespace);
  const where = both(home, selected, ...required);
  return { where: { is: "pods", where }, text: describePods(where) };
}

function mentionsNamespace(expression: LabelExpression): boolean {
  if (expression.is === "and" || expression.is === "or") {
    return expression.of.some(mentionsNamespace);
  }
  if (expression.is === "not") return mentionsNamespace(expression.of);
  return "key" in expression && expression.key.startsWith("namespace:");
}

function entity(value: unknown): Peers[number] | null {
  if (typeof value !== "string" || !ENTITIES.includes(value)) return null;
  return { where: { is: "named", name: `${ENTITY}${value}` }, text: `${ENTITY}${value}` };
}

function cidrSet(fields: Fields | null, pods: Match, problem: Problem): Peers[number] | null {
  const excepts = stringsOf(fields?.except);
  if (!fields || !excepts || strangers(fields, ["cidr", "except"]).length > 0) return null;
  return typeof fields.cidr === "string" ? blockPeer(fields.cidr, excepts, pods, problem) : null;
}

function domain(value: unknown): Peers[number] | null {
  const fields = fieldsOf(value) ?? {};
  const [name, ...more] = Object.values(fields);
  const known = strangers(fields, ["matchName", "matchPattern"]).length === 0;
  if (typeof name !== "string" || more.length > 0 || !known) return null;
  return { where: { is: "named", name }, text: name };
}

/** `toPorts` and `icmps` of a rule; null when there is neither. */
export function ciliumPorts(fields: Fields, problem: Problem): Ports | null {
  const lists = listOf(fields.toPorts);
  const icmps = listOf(fields.icmps);
  const terms: PortTerm[] = [];
  let unclear = lists === null || icmps === null;
  let everything = false;
  for (const each of lists ?? []) {
    const rule = fieldsOf(each);
    const ports = listOf(rule?.ports);
    if (!rule || !ports || strangers(rule, ON_PORTS).length > 0) {
      unclear = true;
      continue;
    }
    if (ports.length === 0) everything = true;
    for (const port of ports) {
      const term = portTerm(fieldsOf(port) ?? {});
      if (term) terms.push(term);
      else unclear = true;
    }
  }
  if (unclear) problem("toPorts or icmps");
  if (!unclear && terms.length === 0 && !everything && icmps?.length === 0) return null;
  if (icmps && icmps.length > 0) terms.push(SOME_OTHER);
  return { terms: everything ? null : terms, unclear };
}

/** What Cilium does with the traffic of a port (L7 rules, TLS) only ever narrows it. */
const ON_PORTS = ["ports", "rules", "listener", "terminatingTLS", "originatingTLS", "serverNames"];

function portTerm(fields: Fields): PortTerm | null {
  if (strangers(fields, ["port", "protocol", "endPort"]).length > 0) return null;
  const { port, protocol = "ANY", endPort } = fields;
  const channels: readonly Channel[] =
    protocol === "ANY" ? PROTOCOLS : PROTOCOLS.filter((known) => known === protocol);
  if (protocol === "ICMP" || protocol === "ICMPv6") return SOME_OTHER;
  if (channels.length === 0) return null;
  const number = typeof port === "string" && /^\d+$/.test(port) ? Number(port) : port;
  if (number === 0 || number === undefined) return { channels, low: 0, high: LAST_PORT };
  if (typeof number === "string") return endPort === undefined ? { channels, name: number } : null;
  const high = endPort ?? number;
  return isPort(number) && isPort(high) && high >= number ? { channels, low: number, high } : null;
}
