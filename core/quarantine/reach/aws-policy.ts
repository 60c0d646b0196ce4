import type { ClusterNetworkPolicy, PolicyName } from "../../policies.ts";
import { type Block, parseBlock } from "./ip.ts";
import { domainPeer } from "./kubernetes-policy.ts";
import { describePods, type LabelExpression, UNCLEAR_PODS } from "./label-expression.ts";
import { podsOf } from "./label-selector.ts";
import { MAYBE, YES } from "./match.ts";
import {
  type CompiledPolicy,
  type Direction,
  type Note,
  type Rule,
  type Section,
  weakened,
} from "./model.ts";
import { UNCLEAR } from "./peers.ts";
import { LAST_PORT, ON_EVERY_PORT, type Ports, type PortTerm, PROTOCOLS } from "./ports.ts";
import { type Fields, fieldsOf, isPort, listOf, strangers, stringsOf } from "./reading.ts";

type Peers = Rule["peers"];
type Problem = (why: string) => void;

/** Tier Admin is decided before NetworkPolicies, tier Baseline after them. */
export const AWS_STAGES = { Admin: 0, networkPolicies: 1, Baseline: 2 } as const;

const ACTIONS: ReadonlyMap<unknown, Rule["action"]> = new Map([
  ["Accept", "allow"],
  ["Deny", "deny"],
  ["Pass", "pass"],
]);

/** `networking.k8s.aws/v1alpha1` ClusterNetworkPolicy; see `core/policies.ts` for its order. */
export function compileClusterNetworkPolicy(
  policy: ClusterNetworkPolicy,
  name: PolicyName,
  note: Note,
): CompiledPolicy {
  const spec = fieldsOf(policy.spec) ?? {};
  const problem = (why: string) => note(null, null, why);
  const { tier, priority } = spec;
  const unknown = strangers(spec, ["tier", "priority", "subject", "ingress", "egress"]);
  if (unknown.length > 0) problem(`spec.${unknown.join(", spec.")}`);
  const known = tier === "Admin" || tier === "Baseline";
  if (!known) problem(`the tier ${JSON.stringify(tier)}`);
  if (typeof priority !== "number") problem(`the priority ${JSON.stringify(priority)}`);
  const section = (direction: Direction): Section => ({
    rules: rulesOf(spec[direction], direction, name, note),
    isolates: false,
  });
  const compiled: CompiledPolicy = {
    name,
    subject: pods(spec.subject, problem),
    stage: AWS_STAGES[known ? tier : "Admin"],
    mode: "first",
    order: [typeof priority === "number" ? priority : -1, ""],
    ingress: section("ingress"),
    egress: section("egress"),
  };
  const sure = known && typeof priority === "number" && unknown.length === 0;
  return sure ? compiled : weakened(compiled);
}

function rulesOf(value: unknown, direction: Direction, name: PolicyName, note: Note): Rule[] {
  const list = listOf(value);
  if (list === null) note(direction, null, "the section is no list");
  const peersKey = direction === "ingress" ? "from" : "to";
  return (list ?? [null]).map((each, index): Rule => {
    const problem = (why: string) => note(direction, list === null ? null : index, why);
    const fields = fieldsOf(each) ?? {};
    const unknown = strangers(fields, ["name", "action", peersKey, "ports"]);
    const action = ACTIONS.get(fields.action);
    const by = { ...name, rule: list === null ? null : index, direction };
    if (action === undefined || unknown.length > 0) {
      problem(unknown.join(", ") || `the action ${JSON.stringify(fields.action)}`);
      const anyone = [{ where: UNCLEAR, text: "a peer that is not understood" }];
      return {
        by,
        action: action ?? "allow",
        peers: anyone,
        ports: ON_EVERY_PORT,
        atMost: MAYBE,
      };
    }
    const peers = peersOf(fields[peersKey], direction, problem);
    return { by, action, peers, ports: portsOf(fields.ports, problem) };
  });
}

function peersOf(value: unknown, direction: Direction, problem: Problem): Peers {
  const list = listOf(value);
  if (!list || list.length === 0) {
    problem("a rule without peers");
    return [{ where: UNCLEAR, text: "a peer that is not understood" }];
  }
  return list.map((each) => {
    const fields = fieldsOf(each) ?? {};
    const egress = direction === "egress" && Object.keys(fields).length === 1;
    const networks = egress && "networks" in fields ? stringsOf(fields.networks) : null;
    if (networks) {
      const blocks = networks.map(parseBlock).filter((block): block is Block => block !== null);
      const bad = networks.filter((text) => parseBlock(text) === null);
      if (bad.length > 0) problem(`the CIDR ${bad.join(", ")}`);
      const where = { is: "blocks", blocks, pods: YES } as const;
      return bad.length > 0
        ? { where: { is: "or", of: [where, UNCLEAR] }, text: networks.join(", ") }
        : { where, text: networks.join(", ") };
    }
    const domains = egress && "domainNames" in fields ? stringsOf(fields.domainNames) : null;
    if (domains) return domainPeer(domains);
    const where = pods(each, problem);
    return where.is === "unclear"
      ? { where: UNCLEAR, text: "a peer that is not understood" }
      : { where: { is: "pods", where }, text: describePods(where) };
  });
}

/** Exactly one of `namespaces` and `pods`. */
function pods(value: unknown, problem: Problem): LabelExpression {
  const fields = fieldsOf(value) ?? {};
  const inner = fieldsOf(fields.pods);
  if (Object.keys(fields).length === 1) {
    if ("namespaces" in fields) return podsOf(fields.namespaces, undefined, problem);
    if (inner && Object.keys(inner).toSorted().join() === "namespaceSelector,podSelector") {
      return podsOf(inner.namespaceSelector, inner.podSelector, problem);
    }
  }
  problem(`neither namespaces nor pods: ${Object.keys(fields).join(", ") || "nothing"}`);
  return UNCLEAR_PODS;
}

function portsOf(value: unknown, problem: Problem): Ports {
  const list = listOf(value);
  if (list?.length === 0) return ON_EVERY_PORT;
  const terms: PortTerm[] = [];
  let unclear = list === null;
  for (const each of list ?? [null]) {
    const term = portTerm(fieldsOf(each) ?? {});
    if (term) terms.push(term);
    else {
      problem(`the port ${JSON.stringify(each)}`);
      unclear = true;
    }
  }
  return { terms, unclear };
}

function portTerm(fields: Fields): PortTerm | null {
  const [kind, ...more] = Object.keys(fields);
  if (kind === undefined || more.length > 0) return null;
  if (typeof fields.namedPort === "string") return { channels: PROTOCOLS, name: fields.namedPort };
  const inner = fieldsOf(fields[kind]);
  if (!inner) return null;
  const channels = PROTOCOLS.filter((known) => known === (inner.protocol ?? "TCP"));
  if (channels.length === 0) return null;
  if (kind === "portNumber" && strangers(inner, ["protocol", "port"]).length === 0) {
    return isPort(inner.port) ? { channels, low: inner.port, high: inner.port } : null;
  }
  if (kind !== "portRange" || strangers(inner, ["protocol", "start", "end"]).length > 0)
    return null;
  const { start, end } = inner;
  const from = start === 0 ? 0 : start;
  const valid = (from === 0 || isPort(from)) && isPort(end) && end <= LAST_PORT;
  return valid && typeof from === "number" && from <= end
    ? { channels, low: from, high: end }
    : null;
}
