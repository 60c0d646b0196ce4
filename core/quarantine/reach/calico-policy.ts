import type { CalicoPolicy, PolicyName } from "../../policies.ts";
import { calicoPeer, calicoPorts, endpointKey, namespaceKey } from "./calico-rule.ts";
import { parseCalicoSelector } from "./calico-selector.ts";
import { both, EVERY_POD, inNamespace, UNCLEAR_PODS } from "./label-expression.ts";
import { MAYBE } from "./match.ts";
import {
  type CompiledPolicy,
  type Direction,
  NO_RULES,
  type Note,
  type Rule,
  type Section,
  weakened,
} from "./model.ts";
import { UNCLEAR } from "./peers.ts";
import { ON_EVERY_PORT } from "./ports.ts";
import { type Fields, fieldsOf, listOf, strangers, stringsOf } from "./reading.ts";

/** Kubernetes' NetworkPolicies are `knp.default.<name>` at order 1000 in the tier `default`. */
export const CALICO_NETWORK_POLICY_ORDER = 1_000;
/** Orders of the tiers that Calico makes itself; only `default` denies what no rule matches. */
const TIERS: ReadonlyMap<string, number> = new Map([
  ["adminnetworkpolicy", 1_000],
  ["kube-admin", 1_000],
  ["default", 1_000_000],
  ["baselineadminnetworkpolicy", 10_000_000],
  ["kube-baseline", 10_000_000],
]);
export const CALICO_DEFAULT_TIER = 1_000_000;

const SPEC = [
  "tier",
  "order",
  "selector",
  "namespaceSelector",
  "serviceAccountSelector",
  "types",
  "ingress",
  "egress",
  "doNotTrack",
  "preDNAT",
  "applyOnForward",
  "performanceHints",
];

const ACTIONS: ReadonlyMap<unknown, Rule["action"] | "log"> = new Map([
  ["Allow", "allow"],
  ["Deny", "deny"],
  ["Pass", "pass"],
  ["Log", "log"],
]);

/**
 * Calico's NetworkPolicy (`name.namespace` set) and GlobalNetworkPolicy, as its resource reference
 * defines them. In the tier `default`, what no rule of a policy for the pod matches is denied.
 */
export function compileCalicoPolicy(
  policy: CalicoPolicy,
  name: PolicyName,
  note: Note,
): CompiledPolicy | null {
  const spec = fieldsOf(policy.spec);
  const problem = (why: string) => note(null, null, why);
  if (!spec) problem("there is no spec");
  // These two are for the interfaces of hosts: no pod is selected.
  if (spec?.doNotTrack === true || spec?.preDNAT === true) return null;
  const unknown = strangers(spec ?? {}, SPEC);
  if (unknown.length > 0) problem(`spec.${unknown.join(", spec.")}`);
  const { tier = "default", order } = spec ?? {};
  const stage = typeof tier === "string" ? TIERS.get(tier) : undefined;
  if (stage === undefined) problem(`the order of the tier ${JSON.stringify(tier)} is not known`);
  const ordered = order === undefined || typeof order === "number";
  if (!ordered) problem(`the order ${JSON.stringify(order)}`);
  const types = typesOf(spec ?? {}, problem);
  const section = (direction: Direction, type: string): Section =>
    types.includes(type)
      ? { rules: rulesOf(spec?.[direction], direction, name, note), isolates: tier === "default" }
      : NO_RULES;
  const compiled: CompiledPolicy = {
    name,
    subject: subjectOf(spec ?? {}, name, problem),
    // Where its place is not known, it comes first and denies nothing: every order is covered.
    stage: stage === undefined ? Number.NEGATIVE_INFINITY : stage,
    mode: "first",
    order: [
      ordered ? (order ?? Number.POSITIVE_INFINITY) : Number.NEGATIVE_INFINITY,
      name.namespace === null ? name.name : `${name.namespace}/${name.name}`,
    ],
    ingress: section("ingress", "Ingress"),
    egress: section("egress", "Egress"),
  };
  const sure = spec && stage !== undefined && ordered && unknown.length === 0;
  return sure ? compiled : weakened(compiled);
}

/** Left out: the sections that are there; Ingress when there is none. */
function typesOf(spec: Fields, problem: (why: string) => void): readonly string[] {
  const types = stringsOf(spec.types);
  if (types === null || types.some((type) => type !== "Ingress" && type !== "Egress")) {
    problem("spec.types");
  }
  if (types && types.length > 0) return types;
  const egress = (listOf(spec.egress) ?? []).length > 0;
  const ingress = (listOf(spec.ingress) ?? []).length > 0 || !egress;
  return [...(ingress ? ["Ingress"] : []), ...(egress ? ["Egress"] : [])];
}

function subjectOf(
  { selector = "", namespaceSelector = "", serviceAccountSelector = "" }: Fields,
  { namespace }: PolicyName,
  problem: (why: string) => void,
) {
  const part = (value: unknown, keyOf: (key: string) => string | null) => {
    const expression = typeof value === "string" ? parseCalicoSelector(value, keyOf) : null;
    if (expression === null) problem(`the selector ${JSON.stringify(value)}`);
    return expression ?? UNCLEAR_PODS;
  };
  if (serviceAccountSelector !== "") problem("serviceAccountSelector: their labels are not read");
  return both(
    namespace === null ? EVERY_POD : inNamespace(namespace),
    part(selector, endpointKey),
    part(namespaceSelector, namespaceKey),
    serviceAccountSelector === "" ? EVERY_POD : UNCLEAR_PODS,
  );
}

function rulesOf(
  value: unknown,
  direction: Direction,
  name: PolicyName,
  note: Note,
): readonly Rule[] {
  const list = listOf(value);
  if (list === null) note(direction, null, "the section is no list");
  return (list ?? [null]).flatMap((each, index): Rule[] => {
    const rule = list === null ? null : index;
    const problem = (why: string) => note(direction, rule, why);
    const by = { ...name, rule, direction };
    const fields = fieldsOf(each) ?? {};
    const action = ACTIONS.get(fields.action);
    if (action === "log") return [];
    const unknown = strangers(fields, RULE);
    if (action === undefined || unknown.length > 0) {
      problem(unknown.join(", ") || `the action ${JSON.stringify(fields.action)}`);
      const peers = [{ where: UNCLEAR, text: "a peer that is not understood" }];
      return [{ by, action: action ?? "allow", peers, ports: ON_EVERY_PORT, atMost: MAYBE }];
    }
    const ends = { ingress: ["source", "destination"], egress: ["destination", "source"] } as const;
    const [peerEnd, selfEnd] = ends[direction];
    const peer = calicoPeer(fields[peerEnd], name, peerEnd, problem);
    const self = calicoPeer(fields[selfEnd], name, selfEnd, problem);
    return [
      {
        by,
        action,
        peers: [peer],
        ports: calicoPorts(fields, problem),
        ...(self.where.is === "anyone" ? {} : { self: self.where }),
        // What is said of HTTP or of one family of addresses only narrows the rule.
        ...("http" in fields || "ipVersion" in fields ? { atMost: MAYBE } : {}),
      },
    ];
  });
}

const RULE = [
  "action",
  "metadata",
  "ipVersion",
  "protocol",
  "notProtocol",
  "icmp",
  "notICMP",
  "source",
  "destination",
  "http",
];
