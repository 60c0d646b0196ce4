import type { PolicyName } from "../../policies.ts";
import { parseCalicoSelector } from "./calico-selector.ts";
import { type Block, parseBlock } from "./ip.ts";
import {
  both,
  describePods,
  EVERY_POD,
  inNamespace,
  type LabelExpression,
  NAMESPACE,
  namespaceLabel,
  podLabel,
  SERVICE_ACCOUNT,
  UNCLEAR_PODS,
} from "./label-expression.ts";
import { YES } from "./match.ts";
import type { Rule } from "./model.ts";
import { ANYONE, type PeerTerm, UNCLEAR } from "./peers.ts";
import {
  type Channel,
  LAST_PORT,
  type Ports,
  type PortTerm,
  PROTOCOLS,
  SOME_OTHER,
} from "./ports.ts";
import { type Fields, fieldsOf, isPort, listOf, strangers, stringsOf } from "./reading.ts";

type Problem = (why: string) => void;

/** Label keys of pods in Calico's selectors, with those that Calico adds. */
export function endpointKey(key: string): string | null {
  if (key === "projectcalico.org/namespace") return NAMESPACE;
  if (key === "projectcalico.org/serviceaccount") return SERVICE_ACCOUNT;
  if (key.startsWith("pcns.")) return namespaceLabel(key.slice("pcns.".length));
  // Labels of service accounts are not read.
  return key.startsWith("pcsa.") || key.startsWith("projectcalico.org/") ? null : podLabel(key);
}

export function namespaceKey(key: string): string | null {
  return key === "projectcalico.org/name" ? NAMESPACE : namespaceLabel(key);
}

const END = [
  "nets",
  "notNets",
  "selector",
  "notSelector",
  "namespaceSelector",
  "ports",
  "notPorts",
  "serviceAccounts",
  "services",
  "domains",
];

/** One end of a rule, ports aside: all that it says must hold. */
export function calicoPeer(
  value: unknown,
  policy: PolicyName,
  end: "source" | "destination",
  problem: Problem,
): Rule["peers"][number] {
  const fields = fieldsOf(value ?? {});
  const unknown = strangers(fields ?? {}, END);
  if (!fields || unknown.length > 0) {
    problem(`${end} with ${unknown.join(", ") || "no fields"}`);
    return { where: UNCLEAR, text: "a peer that is not understood" };
  }
  const parts: { where: PeerTerm; text: string }[] = [];
  const add = (where: PeerTerm, text: string) => parts.push({ where, text });
  const pods = podsOf(fields, policy, problem);
  if (pods) add({ is: "pods", where: pods }, describePods(pods));
  if ("notSelector" in fields) add(...notSelected(fields, policy, problem));
  for (const key of ["nets", "notNets"]) {
    const nets = blocksOf(fields[key], problem);
    if (!nets) continue;
    const text = String(fields[key]).replaceAll(",", ", ");
    if (key === "nets") add(nets, text);
    else add({ is: "not", of: nets }, `not ${text}`);
  }
  const domains = stringsOf(fields.domains) ?? [];
  const named = domains.map((name): PeerTerm => ({ is: "named", name }));
  if ("domains" in fields) add({ is: "or", of: named }, domains.join(", "));
  if ("services" in fields) {
    problem("services are not read");
    add(UNCLEAR, "a service");
  }
  // A flow is given by the port that receives: the port it comes from may be any.
  if (end === "source" && ("ports" in fields || "notPorts" in fields)) add(UNCLEAR, "some ports");
  const [only] = parts;
  if (only === undefined) return { where: ANYONE, text: "anywhere" };
  if (parts.length === 1) return only;
  const of = parts.map(({ where }) => where);
  return { where: { is: "and", of }, text: parts.map(({ text }) => text).join(" and ") };
}

/** The pods that `selector`, `namespaceSelector` and `serviceAccounts` select; null without them. */
function podsOf(fields: Fields, policy: PolicyName, problem: Problem): LabelExpression | null {
  const { selector, namespaceSelector, serviceAccounts } = fields;
  if (selector === undefined && namespaceSelector === undefined && !serviceAccounts) return null;
  return both(
    homeOf(fields, policy, problem),
    selector === undefined ? EVERY_POD : parsed(selector, endpointKey, problem),
    accounts(serviceAccounts, problem),
  );
}

/** In a namespace's policy a selector without `namespaceSelector` means that namespace. */
function homeOf(fields: Fields, { namespace }: PolicyName, problem: Problem): LabelExpression {
  if (fields.namespaceSelector !== undefined) {
    return parsed(fields.namespaceSelector, namespaceKey, problem);
  }
  return namespace === null ? EVERY_POD : inNamespace(namespace);
}

function parsed(
  value: unknown,
  keyOf: (key: string) => string | null,
  problem: Problem,
): LabelExpression {
  const expression = typeof value === "string" ? parseCalicoSelector(value, keyOf) : null;
  if (expression === null) problem(`the selector ${JSON.stringify(value)}`);
  return expression ?? UNCLEAR_PODS;
}

function notSelected(
  fields: Fields,
  policy: PolicyName,
  problem: Problem,
): [where: PeerTerm, text: string] {
  const selected = parsed(fields.notSelector, endpointKey, problem);
  const other: PeerTerm = { is: "not", of: { is: "pods", where: selected } };
  const text = `not ${describePods(selected)}`;
  if (policy.namespace === null || fields.namespaceSelector !== undefined) return [other, text];
  // Whether it also keeps to the policy's namespace is not documented.
  const home: PeerTerm = { is: "pods", where: inNamespace(policy.namespace) };
  return [{ is: "and", of: [other, { is: "or", of: [home, UNCLEAR] }] }, text];
}

function accounts(value: unknown, problem: Problem): LabelExpression {
  if (value === undefined) return EVERY_POD;
  const fields = fieldsOf(value) ?? {};
  const names = stringsOf(fields.names);
  if (names === null || strangers(fields, ["names"]).length > 0) {
    problem("serviceAccounts: their labels are not read");
    return UNCLEAR_PODS;
  }
  return names.length === 0 ? EVERY_POD : { is: "in", key: SERVICE_ACCOUNT, values: names };
}

function blocksOf(value: unknown, problem: Problem): PeerTerm | null {
  const texts = stringsOf(value);
  if (texts?.length === 0) return null;
  const parsedBlocks = (texts ?? []).map(parseBlock);
  const blocks = parsedBlocks.filter((block): block is Block => block !== null);
  const where: PeerTerm = { is: "blocks", blocks, pods: YES };
  if (texts && blocks.length === texts.length) return where;
  problem(`the nets ${JSON.stringify(value)}`);
  return { is: "or", of: [where, UNCLEAR] };
}

const NUMBERS: ReadonlyMap<unknown, Channel> = new Map([
  [6, "TCP"],
  [17, "UDP"],
  [132, "SCTP"],
]);

function channelOf(protocol: unknown): Channel {
  const known = PROTOCOLS.find((each) => each === protocol);
  return known ?? NUMBERS.get(protocol) ?? "other";
}

/** The protocol and the ports that receive. */
export function calicoPorts(fields: Fields, problem: Problem): Ports {
  const { protocol, notProtocol } = fields;
  const destination = fieldsOf(fields.destination) ?? {};
  const all = (channel: Channel): PortTerm =>
    channel === "other" ? SOME_OTHER : { channels: [channel], low: 0, high: LAST_PORT };
  const channel = protocol === undefined ? null : channelOf(protocol);
  let unclear = false;
  const read = (value: unknown): PortTerm[] => {
    const list = listOf(value);
    const terms = (list ?? [null]).map((each) =>
      portTerm(each, channel === null ? PROTOCOLS : [channel]),
    );
    if (terms.every((term) => term !== null) && (terms.length === 0 || channel !== "other")) {
      return terms;
    }
    problem(`the ports ${JSON.stringify(value)}`);
    unclear = true;
    return [];
  };
  const ports = read(destination.ports);
  const except = read(destination.notPorts);
  if (notProtocol !== undefined) except.push(all(channelOf(notProtocol)));
  const terms = ports.length > 0 ? ports : channel === null ? null : [all(channel)];
  if (channel === null && ("icmp" in fields || "notICMP" in fields)) {
    problem("ICMP without a protocol");
    unclear = true;
  }
  return { terms, except, unclear };
}

/** A number, `"lo:hi"`, or the name of a container port. */
function portTerm(value: unknown, channels: readonly Channel[]): PortTerm | null {
  if (isPort(value)) return { channels, low: value, high: value };
  if (typeof value !== "string") return null;
  const range = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(value);
  if (!range) return /[a-z]/i.test(value) ? { channels, name: value } : null;
  const low = Number(range[1]);
  const high = Number(range[2] ?? range[1]);
  return low <= high && high <= LAST_PORT ? { channels, low, high } : null;
}
