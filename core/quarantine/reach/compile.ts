import type { ObjectMeta } from "../../kubernetes.ts";
import type { PolicyName, PolicySet } from "../../policies.ts";
import { AWS_STAGES, compileClusterNetworkPolicy } from "./aws-policy.ts";
import {
  CALICO_DEFAULT_TIER,
  CALICO_NETWORK_POLICY_ORDER,
  compileCalicoPolicy,
} from "./calico-policy.ts";
import { CILIUM_STAGES, compileCiliumPolicy } from "./cilium-policy.ts";
import { compileNetworkPolicy, type Placement } from "./kubernetes-policy.ts";
import { MAYBE, NO, YES } from "./match.ts";
import { type Cni, type CompiledPolicy, type Note, type Unreadable, weakened } from "./model.ts";

type Kind = "kubernetes" | Cni;

/** What one CNI makes of the policies: only the kinds that it knows, in the order it decides. */
export interface Engine {
  readonly kind: Kind;
  readonly policies: readonly CompiledPolicy[];
  readonly unreadable: readonly Unreadable[];
}

/**
 * The policies as the CNI decides on them. Where it is not known which one enforces, every CNI whose
 * policies are there gets an engine of its own, and a flow counts as open when one of them lets it
 * through.
 */
export function compile(policies: PolicySet, cni: Cni | null): readonly Engine[] {
  return kinds(policies, cni).map((kind) => {
    const unreadable: Unreadable[] = [];
    const noteOf =
      (policy: PolicyName): Note =>
      (direction, rule, why) =>
        unreadable.push({ policy, direction, rule, why });
    const compiled = [
      ...networkPolicies(policies, kind, cni, noteOf),
      ...ownPolicies(policies, kind, cni, noteOf),
    ];
    return { kind, policies: compiled.toSorted(inOrder), unreadable };
  });
}

function kinds(policies: PolicySet, cni: Cni | null): readonly Kind[] {
  if (cni !== null) return [cni];
  const aws = [...policies.applicationNetworkPolicies, ...policies.clusterNetworkPolicies];
  const present: Kind[] = [];
  if (aws.length > 0) present.push("vpc");
  if (policies.ciliumNetworkPolicies.length > 0) present.push("cilium");
  if (policies.calicoPolicies.length > 0) present.push("calico");
  return present.length > 0 ? present : ["kubernetes"];
}

type NoteOf = (policy: PolicyName) => Note;

function networkPolicies(
  { networkPolicies, applicationNetworkPolicies }: PolicySet,
  kind: Kind,
  cni: Cni | null,
  noteOf: NoteOf,
): readonly CompiledPolicy[] {
  const compiled = (policy: (typeof networkPolicies)[number], type: string) => {
    const name = nameOf(type, policy.metadata);
    return compileNetworkPolicy(policy, name, placement(name.name, kind, cni), noteOf(name));
  };
  return [
    ...networkPolicies.map((policy) => compiled(policy, "NetworkPolicy")),
    ...(kind === "vpc" ? applicationNetworkPolicies : []).map((policy) =>
      compiled(policy, "ApplicationNetworkPolicy"),
    ),
  ];
}

/** Cilium's blocks are for what is no pod; that is relied upon only when it is known to be Cilium. */
function blocksForPods(kind: Kind, cni: Cni | null) {
  if (kind !== "cilium") return YES;
  return cni === "cilium" ? NO : MAYBE;
}

function placement(name: string, kind: Kind, cni: Cni | null): Placement {
  const pods = blocksForPods(kind, cni);
  switch (kind) {
    case "calico":
      return {
        stage: CALICO_DEFAULT_TIER,
        mode: "first",
        order: [CALICO_NETWORK_POLICY_ORDER, `knp.default.${name}`],
        blocksForPods: pods,
      };
    case "cilium":
      return { stage: CILIUM_STAGES.allow, mode: "all", order: [0, ""], blocksForPods: pods };
    default:
      return {
        stage: AWS_STAGES.networkPolicies,
        mode: "all",
        order: [0, ""],
        blocksForPods: pods,
      };
  }
}

function ownPolicies(
  policies: PolicySet,
  kind: Kind,
  cni: Cni | null,
  noteOf: NoteOf,
): readonly CompiledPolicy[] {
  switch (kind) {
    case "kubernetes":
      return [];
    case "vpc":
      return policies.clusterNetworkPolicies.map((policy) => {
        const name = { ...nameOf("ClusterNetworkPolicy", policy.metadata), namespace: null };
        return compileClusterNetworkPolicy(policy, name, noteOf(name));
      });
    case "cilium":
      return policies.ciliumNetworkPolicies.flatMap((policy) => {
        const { name, sure } = scoped(
          policy,
          "CiliumNetworkPolicy",
          "CiliumClusterwideNetworkPolicy",
        );
        const note = noteOf(name);
        const compiled = compileCiliumPolicy(policy, name, blocksForPods(kind, cni), note);
        if (!sure) note(null, null, "there is no namespace");
        return sure ? compiled : compiled.map(weakened);
      });
    case "calico":
      return policies.calicoPolicies.flatMap((policy) => {
        const { name, sure } = scoped(policy, "NetworkPolicy", "GlobalNetworkPolicy");
        const shown = name.kind === "NetworkPolicy" ? "CalicoNetworkPolicy" : name.kind;
        const named = { ...name, kind: shown };
        const note = noteOf(named);
        const compiled = compileCalicoPolicy(policy, named, note);
        if (!sure) note(null, null, "there is no namespace");
        return compiled === null ? [] : [sure ? compiled : weakened(compiled)];
      });
  }
}

/** Of a pair of kinds, one namespaced and one for the cluster, which this is. */
function scoped(
  { kind, metadata }: { readonly kind?: string; readonly metadata: ObjectMeta },
  namespaced: string,
  clusterwide: string,
): { readonly name: PolicyName; readonly sure: boolean } {
  const namespace = metadata.namespace ?? null;
  const effective = kind ?? (namespace === null ? clusterwide : namespaced);
  const wide = effective === clusterwide;
  return {
    name: { kind: effective, namespace: wide ? null : namespace, name: metadata.name },
    sure: wide || namespace !== null,
  };
}

function nameOf(kind: string, { namespace, name }: ObjectMeta): PolicyName {
  return { kind, namespace: namespace ?? null, name };
}

/** A total order, so that the order in which policies were read never shows. */
function inOrder(a: CompiledPolicy, b: CompiledPolicy): number {
  return (
    compare(a.stage, b.stage) ||
    compare(a.order[0], b.order[0]) ||
    compare(a.order[1], b.order[1]) ||
    compare(a.name.kind, b.name.kind) ||
    compare(a.name.namespace ?? "", b.name.namespace ?? "") ||
    compare(a.name.name, b.name.name)
  );
}

function compare<T extends string | number>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
