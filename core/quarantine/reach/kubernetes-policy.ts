import type { NetworkPolicy, PolicyName } from "../../policies.ts";
import { parseBlock } from "./ip.ts";
import { describePods, EVERY_POD, UNCLEAR_PODS } from "./label-expression.ts";
import { podsIn, podsOf } from "./label-selector.ts";
import { MAYBE, type Match } from "./match.ts";
import {
  type CompiledPolicy,
  type Direction,
  NO_RULES,
  type Note,
  type Rule,
  type Section,
  weakened,
} from "./model.ts";
import { ANYONE, type PeerTerm, UNCLEAR } from "./peers.ts";
import { LAST_PORT, ON_EVERY_PORT, type Ports, type PortTerm, PROTOCOLS } from "./ports.ts";
import { type Fields, fieldsOf, isPort, listOf, strangers, stringsOf } from "./reading.ts";

type Peers = Rule["peers"];
type Problem = (why: string) => void;

/** Where a policy is decided among the others, and what its IP blocks mean for pods. */
export interface Placement {
  readonly stage: number;
  readonly mode: "first" | "all";
  readonly order: readonly [number, string];
  readonly blocksForPods: Match;
}

/**
 * A NetworkPolicy as Kubernetes defines it, or AWS's ApplicationNetworkPolicy, which is the same
 * with domain names as egress peers. Semantics: `networking.k8s.io/v1` of the Kubernetes API
 * reference, defaults of the API server included.
 */
export function compileNetworkPolicy(
  policy: NetworkPolicy,
  name: PolicyName,
  placement: Placement,
  note: Note,
): CompiledPolicy {
  const spec = fieldsOf(policy.spec);
  const problem = (why: string) => note(null, null, why);
  if (!spec) problem("there is no spec");
  const unknown = strangers(spec ?? {}, ["podSelector", "policyTypes", "ingress", "egress"]);
  if (unknown.length > 0) problem(`spec.${unknown.join(", spec.")}`);
  if (name.namespace === null) problem("there is no namespace");
  const types = policyTypes(spec ?? {}, problem);
  const section = (direction: Direction, type: string): Section =>
    types.includes(type)
      ? { rules: rulesOf(spec?.[direction], direction, name, placement, note), isolates: true }
      : NO_RULES;
  const compiled: CompiledPolicy = {
    name,
    subject:
      name.namespace === null ? UNCLEAR_PODS : podsIn(name.namespace, spec?.podSelector, problem),
    stage: placement.stage,
    mode: placement.mode,
    order: placement.order,
    ingress: section("ingress", "Ingress"),
    egress: section("egress", "Egress"),
  };
  return !spec || unknown.length > 0 ? weakened(compiled) : compiled;
}

/** Left out or empty: Ingress, and Egress too when there is an egress rule (API server defaults). */
function policyTypes(spec: Fields, problem: Problem): readonly string[] {
  const types = stringsOf(spec.policyTypes);
  if (types === null) problem("spec.policyTypes");
  for (const type of types ?? []) {
    if (type !== "Ingress" && type !== "Egress") problem(`the policy type ${type}`);
  }
  if (types && types.length > 0) return types;
  return (listOf(spec.egress) ?? []).length > 0 ? ["Ingress", "Egress"] : ["Ingress"];
}

function rulesOf(
  value: unknown,
  direction: Direction,
  name: PolicyName,
  { blocksForPods }: Placement,
  note: Note,
): readonly Rule[] {
  const list = listOf(value);
  // A section that is not understood may allow anything.
  if (list === null) note(direction, null, "the section is no list");
  const peersKey = direction === "ingress" ? "from" : "to";
  return (list ?? [null]).map((each, index): Rule => {
    const problem = (why: string) => note(direction, index, why);
    const by = { ...name, rule: list === null ? null : index, direction };
    const rule = fieldsOf(each);
    const unknown = strangers(rule ?? {}, [peersKey, "ports"]);
    if (!rule || unknown.length > 0) {
      if (list !== null) problem(rule ? unknown.join(", ") : "a rule that is no object");
      return { by, action: "allow", peers: ANYWHERE, ports: ON_EVERY_PORT, atMost: MAYBE };
    }
    const peers = peersOf(rule[peersKey], direction, name, blocksForPods, problem);
    return { by, action: "allow", peers, ports: networkPolicyPorts(rule.ports, problem) };
  });
}

const ANYWHERE: Peers = [{ where: ANYONE, text: "anywhere" }];
const NOT_UNDERSTOOD = { where: UNCLEAR, text: "a peer that is not understood" };

function peersOf(
  value: unknown,
  direction: Direction,
  name: PolicyName,
  blocksForPods: Match,
  problem: Problem,
): Peers {
  const list = listOf(value);
  if (list === null) problem("the peers are no list");
  if (list?.length === 0) return ANYWHERE;
  return (list ?? [null]).map((each) => {
    const peer = fieldsOf(each) ?? {};
    const unknown = strangers(peer, ["podSelector", "namespaceSelector", "ipBlock", "domainNames"]);
    const kinds = [
      "podSelector" in peer || "namespaceSelector" in peer,
      "ipBlock" in peer,
      "domainNames" in peer,
    ].filter(Boolean).length;
    if (unknown.length > 0 || kinds !== 1) {
      problem(
        unknown.length > 0
          ? `a peer with ${unknown.join(", ")}`
          : `a peer of ${kinds} kinds at once`,
      );
      return NOT_UNDERSTOOD;
    }
    if ("ipBlock" in peer) return ipBlock(peer.ipBlock, blocksForPods, problem);
    if ("domainNames" in peer) {
      const domains = direction === "egress" && name.kind !== "NetworkPolicy";
      const names = domains ? stringsOf(peer.domainNames) : null;
      if (names === null) problem("domainNames");
      return names === null ? NOT_UNDERSTOOD : domainPeer(names);
    }
    const where =
      "namespaceSelector" in peer
        ? podsOf(peer.namespaceSelector, peer.podSelector, problem)
        : name.namespace === null
          ? EVERY_POD
          : podsIn(name.namespace, peer.podSelector, problem);
    return { where: { is: "pods", where }, text: describePods(where) };
  });
}

/** A peer that is a list of domain names. */
export function domainPeer(names: readonly string[]): Peers[number] {
  const of = names.map((name): PeerTerm => ({ is: "named", name }));
  return { where: { is: "or", of }, text: names.join(", ") };
}

function ipBlock(value: unknown, pods: Match, problem: Problem): Peers[number] {
  const fields = fieldsOf(value);
  const excepts = stringsOf(fields?.except);
  const block = typeof fields?.cidr === "string" ? parseBlock(fields.cidr) : null;
  if (!fields || !block || !excepts || strangers(fields, ["cidr", "except"]).length > 0) {
    problem(`the IP block ${JSON.stringify(value)}`);
    return NOT_UNDERSTOOD;
  }
  return blockPeer(block.text, excepts, pods, problem);
}

/** A CIDR less some others. What cannot be parsed is anything, and what is anything takes nothing out. */
export function blockPeer(
  cidr: string,
  excepts: readonly string[],
  pods: Match,
  problem: Problem,
): Peers[number] {
  const term = (text: string): PeerTerm => {
    const block = parseBlock(text);
    if (block) return { is: "blocks", blocks: [block], pods };
    problem(`the CIDR ${text}`);
    return UNCLEAR;
  };
  if (excepts.length === 0) return { where: term(cidr), text: cidr };
  const of = [term(cidr), ...excepts.map((each): PeerTerm => ({ is: "not", of: term(each) }))];
  return { where: { is: "and", of }, text: `${cidr} except ${excepts.join(", ")}` };
}

/** Ports of a rule: left out or empty, every port of every protocol. */
export function networkPolicyPorts(value: unknown, problem: Problem): Ports {
  const list = listOf(value);
  if (list?.length === 0) return ON_EVERY_PORT;
  const terms: PortTerm[] = [];
  let unclear = list === null;
  for (const each of list ?? []) {
    const term = portTerm(fieldsOf(each));
    if (term) terms.push(term);
    else {
      problem(`the port ${JSON.stringify(each)}`);
      unclear = true;
    }
  }
  if (list === null) problem("the ports are no list");
  return { terms, unclear };
}

function portTerm(fields: Fields | null): PortTerm | null {
  if (!fields || strangers(fields, ["protocol", "port", "endPort"]).length > 0) return null;
  const { port, endPort, protocol = "TCP" } = fields;
  const channels = PROTOCOLS.filter((known) => known === protocol);
  if (channels.length === 0) return null;
  if (port === undefined) {
    return endPort === undefined ? { channels, low: 0, high: LAST_PORT } : null;
  }
  if (typeof port === "string") {
    // A name has a letter (IANA_SVC_NAME): "80" in quotes is none that a container could have.
    return endPort === undefined && /[a-z]/i.test(port) ? { channels, name: port } : null;
  }
  const high = endPort ?? port;
  return isPort(port) && isPort(high) && high >= port ? { channels, low: port, high } : null;
}
