import type { Cni } from "../../cluster/network.ts";
import type { ContainerPort, Labels, Pod } from "../../kubernetes.ts";
import type { PolicyName, PolicySet } from "../../policies.ts";
import type { LabelExpression } from "./label-expression.ts";
import type { Match } from "./match.ts";
import type { PeerTerm } from "./peers.ts";
import type { Ports } from "./ports.ts";

/** Which CNI enforces decides which kinds of policy count. */
export type { Cni };

export type Direction = "ingress" | "egress";

/** What policies see of a pod, its namespace left aside. */
export interface WorldPod {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  /** Empty: not known (yet), so that every IP block may be the pod's. */
  readonly ips: readonly string[];
  readonly ports: readonly ContainerPort[];
  readonly hostNetwork: boolean;
  readonly serviceAccountName?: string;
  /** Left out: not known. */
  readonly node?: string;
}

export interface Subject extends WorldPod {
  readonly namespaceLabels: Labels;
}

export interface World {
  readonly pods: readonly WorldPod[];
  /** Labels by the namespace's name. One that is missing has its name as its only label. */
  readonly namespaces: Readonly<Record<string, Labels>>;
  readonly policies: PolicySet;
  readonly cni: Cni | null;
}

/** One rule of one policy; `rule` null: the policy as such, that isolates the pod. */
export interface PolicyRule extends PolicyName {
  /** Its index in its section, from 0. */
  readonly rule: number | null;
  readonly direction: Direction;
}

/** Something in a policy that was not understood. It never closes anything. */
export interface Unreadable {
  readonly policy: PolicyName;
  readonly direction: Direction | null;
  readonly rule: number | null;
  readonly why: string;
}

export interface Rule {
  readonly by: PolicyRule;
  readonly action: "allow" | "deny" | "pass";
  /** Any of these. */
  readonly peers: readonly { readonly where: PeerTerm; readonly text: string }[];
  readonly ports: Ports;
  /** What must hold of the pod itself, beyond the policy's selection (Calico). */
  readonly self?: PeerTerm;
  /** Null: every match is as sure as its parts; otherwise it is at most this. */
  readonly atMost?: Match;
}

export interface Section {
  readonly rules: readonly Rule[];
  /** Whether it denies what no rule of the stage matches. */
  readonly isolates: boolean;
}

/** A policy of any kind, ready to be evaluated. */
export interface CompiledPolicy {
  readonly name: PolicyName;
  readonly subject: LabelExpression;
  /** Stages are decided one after the other, lowest first. */
  readonly stage: number;
  /** `first`: the first rule that matches decides. `all`: what the rules allow adds up. */
  readonly mode: "first" | "all";
  /** The place in the stage: by number, then by text. */
  readonly order: readonly [number, string];
  readonly ingress: Section;
  readonly egress: Section;
}

export const NO_RULES: Section = { rules: [], isolates: false };

export type Note = (direction: Direction | null, rule: number | null, why: string) => void;

/**
 * The same policy where it is not sure that it decides: what it allows may be allowed, and it denies
 * nothing.
 */
export function weakened(policy: CompiledPolicy): CompiledPolicy {
  const weaker = ({ rules }: Section): Section => ({
    rules: rules.map((rule) => ({ ...rule, atMost: 1 })),
    isolates: false,
  });
  return { ...policy, ingress: weaker(policy.ingress), egress: weaker(policy.egress) };
}

/** `payments/allow-web`; other kinds than NetworkPolicy come first: `ClusterNetworkPolicy deny`. */
export function describePolicy({ kind, namespace, name }: PolicyName): string {
  const full = namespace === null ? name : `${namespace}/${name}`;
  return kind === "NetworkPolicy" ? full : `${kind} ${full}`;
}

/** A pod as the API server sends it, as policies see it. */
export function worldPod(
  pod: Pod & { readonly spec: { readonly serviceAccountName?: string } },
): WorldPod {
  const { metadata, spec, status } = pod;
  const { namespace } = metadata;
  if (namespace === undefined) throw new Error(`pod ${metadata.name} has no namespace`);
  const ips = status?.podIPs?.map(({ ip }) => ip) ?? [];
  return {
    namespace,
    name: metadata.name,
    labels: metadata.labels ?? {},
    ips: ips.length > 0 || !status?.podIP ? ips : [status.podIP],
    // Init containers too: a sidecar is one of them.
    ports: [...spec.containers, ...(spec.initContainers ?? [])].flatMap(({ ports }) => ports ?? []),
    hostNetwork: spec.hostNetwork === true,
    ...(spec.serviceAccountName === undefined
      ? {}
      : { serviceAccountName: spec.serviceAccountName }),
    ...(spec.nodeName === undefined ? {} : { node: spec.nodeName }),
  };
}
