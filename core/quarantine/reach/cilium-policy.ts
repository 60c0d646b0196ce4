import type { CiliumNetworkPolicy, PolicyName } from "../../policies.ts";
import { ciliumPeers, ciliumPorts, SIDES } from "./cilium-rule.ts";
import {
  both,
  EVERY_POD,
  inNamespace,
  type LabelExpression,
  UNCLEAR_PODS,
} from "./label-expression.ts";
import { ciliumKey, selectorExpression } from "./label-selector.ts";
import { MAYBE, type Match } from "./match.ts";
import {
  type CompiledPolicy,
  type Direction,
  type Note,
  type Rule,
  type Section,
  weakened,
} from "./model.ts";
import { UNCLEAR } from "./peers.ts";
import { ON_EVERY_PORT } from "./ports.ts";
import { type Fields, fieldsOf, listOf, strangers } from "./reading.ts";

/** Deny rules beat what any policy allows; what is allowed adds up with NetworkPolicies. */
export const CILIUM_STAGES = { deny: 0, allow: 1 } as const;

const SPEC = [
  "endpointSelector",
  "nodeSelector",
  "ingress",
  "ingressDeny",
  "egress",
  "egressDeny",
  "enableDefaultDeny",
  "labels",
  "description",
  "log",
];

/**
 * `cilium.io/v2` CiliumNetworkPolicy (`name.namespace` set) and CiliumClusterwideNetworkPolicy, as
 * "Layer 3/4/7 Policies" and "Deny Policies" of Cilium's documentation define them. Every rule
 * of it becomes two policies: what it denies, and what it allows.
 */
export function compileCiliumPolicy(
  policy: CiliumNetworkPolicy,
  name: PolicyName,
  blocksForPods: Match,
  note: Note,
): readonly CompiledPolicy[] {
  const specs = [...(policy.spec ? [policy.spec] : []), ...(listOf(policy.specs) ?? [])];
  if (specs.length === 0) note(null, null, "there is no spec");
  return specs.flatMap((each) => {
    const spec = fieldsOf(each);
    if (!spec) note(null, null, "a spec that is no object");
    // What a node's policy decides is not a pod's traffic.
    const forNodes = spec && "nodeSelector" in spec && !("endpointSelector" in spec);
    return spec && !forNodes ? compileSpec(spec, name, blocksForPods, note) : [];
  });
}

function compileSpec(
  spec: Fields,
  name: PolicyName,
  blocksForPods: Match,
  note: Note,
): readonly CompiledPolicy[] {
  const problem = (why: string) => note(null, null, why);
  const unknown = strangers(spec, SPEC);
  if (unknown.length > 0) problem(`spec.${unknown.join(", spec.")}`);
  const subject = subjectOf(spec, name, problem);
  const part = (stage: "deny" | "allow"): CompiledPolicy => ({
    name,
    subject,
    stage: CILIUM_STAGES[stage],
    mode: "all",
    order: [0, ""],
    ingress: sectionOf(spec, "ingress", stage, name, blocksForPods, note),
    egress: sectionOf(spec, "egress", stage, name, blocksForPods, note),
  });
  const parts = [part("deny"), part("allow")];
  return unknown.length > 0 ? parts.map(weakened) : parts;
}

function subjectOf(
  { endpointSelector }: Fields,
  { namespace }: PolicyName,
  problem: (why: string) => void,
): LabelExpression {
  if (endpointSelector === undefined) {
    problem("there is no endpointSelector");
    return UNCLEAR_PODS;
  }
  return both(
    namespace === null ? EVERY_POD : inNamespace(namespace),
    selectorExpression(endpointSelector, ciliumKey, problem),
  );
}

function sectionOf(
  spec: Fields,
  direction: Direction,
  stage: "deny" | "allow",
  name: PolicyName,
  blocksForPods: Match,
  note: Note,
): Section {
  const key = stage === "deny" ? `${direction}Deny` : direction;
  const list = listOf(spec[key]);
  if (list === null) note(direction, null, `${key} is no list`);
  const rules = (list ?? [null]).flatMap((each, index): Rule[] => {
    const problem = (why: string) => note(direction, list === null ? null : index, why);
    const by = { ...name, rule: list === null ? null : index, direction };
    return ruleOf(fieldsOf(each), by, stage, blocksForPods, problem);
  });
  return { rules, isolates: stage === "allow" && isolates(spec, direction, note) };
}

/** A rule of either kind puts the endpoint in default deny, unless `enableDefaultDeny` says no. */
function isolates(spec: Fields, direction: Direction, note: Note): boolean {
  const said = fieldsOf(spec.enableDefaultDeny ?? {});
  const rules = [spec[direction], spec[`${direction}Deny`]].some(
    (section) => (listOf(section) ?? []).length > 0,
  );
  const value = said?.[direction];
  if (!said || strangers(said, ["ingress", "egress"]).length > 0) {
    note(direction, null, "enableDefaultDeny");
    return false;
  }
  if (value === undefined) return rules;
  if (typeof value !== "boolean") note(direction, null, `enableDefaultDeny.${direction}`);
  return value === true;
}

function ruleOf(
  fields: Fields | null,
  by: Rule["by"],
  action: "allow" | "deny",
  blocksForPods: Match,
  problem: (why: string) => void,
): Rule[] {
  const side = SIDES[by.direction];
  const unknown = strangers(fields ?? {}, side.known);
  if (!fields || unknown.length > 0) {
    problem(unknown.join(", ") || "a rule that is no object");
    const peers = [{ where: UNCLEAR, text: "a peer that is not understood" }];
    return [{ by, action, peers, ports: ON_EVERY_PORT, atMost: MAYBE }];
  }
  const ports = ciliumPorts(fields, problem);
  const peers = ciliumPeers(fields, by, blocksForPods, problem);
  // Without peers the ports alone count, from anywhere; a rule without either is no rule.
  if (peers === null && ports === null) return [];
  const anyone: Rule["peers"] = [{ where: { is: "anyone" }, text: "anywhere" }];
  return [{ by, action, peers: peers ?? anyone, ports: ports ?? ON_EVERY_PORT }];
}
