import { podIdentifier } from "./identifier.ts";
import {
  type Endpoint,
  keyOf,
  kindOf,
  type ModelPolicy,
  type PolicyKey,
  type Published,
} from "./published.ts";
import { NO_RULES, type Peers, type Program, type Rules } from "./traffic.ts";

/*
 * One node's agent (aws-network-policy-agent 1.4.1, controllers/policyendpoints_controller.go,
 * clusterpolicyendpoints_controller.go and pkg/rpc/rpc_handler.go): which policies it remembers
 * for which identifier, and what it therefore loads. Its three oddities decide most of what was
 * seen:
 *
 * - it remembers a policy for the identifier of every pod that the policy lists, on whatever node,
 *   but forgets it only when the last such pod on its own node leaves;
 * - it loads the union of what it remembers only when a policy with a pod here is published, and
 *   for an identifier that just left one if anything else is still remembered for it: with nothing
 *   left, what is loaded stays;
 * - a pod that starts here takes over what is remembered if it is the first of its identifier.
 */

export interface Agent {
  readonly node: string;
  /** Identifier to what is remembered for it. */
  readonly remembered: ReadonlyMap<string, readonly Memory[]>;
  /** The pods of this node that a policy listed last. */
  readonly localPods: ReadonlyMap<PolicyKey, readonly string[]>;
  /** The identifiers of those pods. */
  readonly localIdentifiers: ReadonlyMap<PolicyKey, readonly string[]>;
  readonly programs: ReadonlyMap<string, Program>;
}

interface Memory {
  readonly policy: PolicyKey;
  readonly endpoint: string;
}

export function freshAgent(node: string): Agent {
  return {
    node,
    remembered: new Map(),
    localPods: new Map(),
    localIdentifiers: new Map(),
    programs: new Map(),
  };
}

export function programOf(agent: Agent, pod: string): Program {
  const program = agent.programs.get(podIdentifier(pod));
  if (!program?.pods.includes(pod)) throw new Error(`pod ${pod} does not run on ${agent.node}`);
  return program;
}

/** The CNI plugin announces a pod before it starts. */
export function podStarts(agent: Agent, pod: string, published: Published): Agent {
  const identifier = podIdentifier(pod);
  const shared = agent.programs.get(identifier);
  const remembers = (kind: ModelPolicy["kind"]) => memories(agent, identifier, kind).length > 0;
  const [policies, clusterPolicies] = [
    remembers("NetworkPolicy"),
    remembers("ClusterNetworkPolicy"),
  ];
  let program: Program = shared ?? {
    pods: [],
    networkPolicy: { applied: false, allow: NO_RULES },
    clusterPolicy: { applied: false, deny: NO_RULES },
  };
  if (!policies && !clusterPolicies) {
    // Even when others run under rules that were loaded and never cleaned up: they open with it.
    program = {
      ...program,
      networkPolicy: { ...program.networkPolicy, applied: false },
      clusterPolicy: { ...program.clusterPolicy, applied: false },
    };
  } else if (!shared) {
    const allow = withoutGaps(unionOf(agent, identifier, published));
    // "Applied" even when nothing of what is remembered exists any more.
    program = {
      ...program,
      networkPolicy: policies ? { applied: true, allow } : program.networkPolicy,
      clusterPolicy: clusterPolicies
        ? { applied: true, deny: deniedTo(agent, identifier, published) }
        : program.clusterPolicy,
    };
  }
  return load(agent, identifier, { ...program, pods: [...program.pods, pod] });
}

export function podStops(agent: Agent, pod: string): Agent {
  const identifier = podIdentifier(pod);
  const program = programOf(agent, pod);
  const pods = program.pods.filter((each) => each !== pod);
  if (pods.length > 0) return load(agent, identifier, { ...program, pods });
  const programs = new Map(agent.programs);
  programs.delete(identifier);
  return { ...agent, programs };
}

/** The agent sees that what is published for a policy changed, or is no longer there. */
export function hears(agent: Agent, policy: PolicyKey, published: Published): Agent {
  const endpoint = published.get(policy);
  return endpoint ? takesUp(agent, endpoint, published) : drops(agent, policy, published);
}

function takesUp(agent: Agent, endpoint: Endpoint, published: Published): Agent {
  const policy = keyOf(endpoint.policy);
  const pods = endpoint.pods.filter(({ node }) => node === agent.node).map(({ name }) => name);
  const identifiers = [...new Set(pods.map(podIdentifier))];
  const left = (agent.localPods.get(policy) ?? []).filter((pod) => !pods.includes(pod));
  const stale = (agent.localIdentifiers.get(policy) ?? []).filter(
    (identifier) => !identifiers.includes(identifier),
  );

  const remembered = new Map(agent.remembered);
  for (const { name } of endpoint.pods) {
    const known = remembered.get(podIdentifier(name)) ?? [];
    if (known.some((each) => each.endpoint === endpoint.id)) continue;
    remembered.set(podIdentifier(name), [...known, { policy, endpoint: endpoint.id }]);
  }
  let next: Agent = {
    ...agent,
    remembered,
    localPods: put(agent.localPods, policy, pods),
    localIdentifiers: put(agent.localIdentifiers, policy, identifiers),
  };
  // Forgotten before it is cleaned up: what only this policy had loaded is never taken out. And
  // forgotten although pods on other nodes are still listed, until it is published again.
  for (const identifier of stale) next = forgets(next, policy, identifier);
  for (const identifier of new Set(left.map(podIdentifier))) {
    if (!identifiers.includes(identifier)) {
      next = cleansUp(next, identifier, endpoint.policy.kind, published);
    }
  }
  for (const identifier of identifiers) {
    next = reloads(next, identifier, endpoint.policy.kind, published);
  }
  return next;
}

/** Here it is cleaned up first and forgotten then; but only for pods of this node. */
function drops(agent: Agent, policy: PolicyKey, published: Published): Agent {
  const identifiers = new Set((agent.localPods.get(policy) ?? []).map(podIdentifier));
  let next: Agent = { ...agent, localPods: put(agent.localPods, policy, []) };
  const kind = kindOf(policy);
  if (kind === "NetworkPolicy") {
    // Left standing for a ClusterNetworkPolicy.
    next = { ...next, localIdentifiers: put(agent.localIdentifiers, policy, []) };
  }
  for (const identifier of identifiers) next = cleansUp(next, identifier, kind, published);
  for (const identifier of identifiers) next = forgets(next, policy, identifier);
  return next;
}

function cleansUp(
  agent: Agent,
  identifier: string,
  kind: ModelPolicy["kind"],
  published: Published,
): Agent {
  const nothingRemembered = memories(agent, identifier, kind).length === 0;
  return nothingRemembered ? agent : reloads(agent, identifier, kind, published);
}

function reloads(
  agent: Agent,
  identifier: string,
  kind: ModelPolicy["kind"],
  published: Published,
): Agent {
  const program = agent.programs.get(identifier);
  if (!program) return agent;
  if (kind === "ClusterNetworkPolicy") {
    const deny = deniedTo(agent, identifier, published);
    const applied = deny.ingress.length + deny.egress.length > 0;
    return load(agent, identifier, { ...program, clusterPolicy: { applied, deny } });
  }
  const union = unionOf(agent, identifier, published);
  const applied = Object.values(union).some(({ rules, isolated }) => isolated || rules.length > 0);
  const allow = applied ? withoutGaps(union) : NO_RULES;
  return load(agent, identifier, { ...program, networkPolicy: { applied, allow } });
}

interface Union {
  readonly ingress: { readonly rules: readonly Peers[]; readonly isolated: boolean };
  readonly egress: { readonly rules: readonly Peers[]; readonly isolated: boolean };
}

function unionOf(agent: Agent, identifier: string, published: Published): Union {
  const endpoints = endpointsOf(agent, identifier, "NetworkPolicy", published);
  const union = (direction: "ingress" | "egress") => {
    const grants = endpoints.flatMap(({ policy, peers }) =>
      policy.kind === "NetworkPolicy" ? [{ grant: policy[direction], peers }] : [],
    );
    return {
      isolated: grants.some(({ grant }) => grant !== null),
      rules: grants.flatMap(({ grant, peers }): Peers[] => {
        if (grant === "everyone") return [grant];
        return grant === "pods" ? [peers] : [];
      }),
    };
  };
  return { ingress: union("ingress"), egress: union("egress") };
}

/** A direction that no policy governs is open. */
function withoutGaps({ ingress, egress }: Union): Rules {
  const rulesOf = ({ rules, isolated }: Union["ingress"]): readonly Peers[] =>
    isolated ? rules : ["everyone"];
  return { ingress: rulesOf(ingress), egress: rulesOf(egress) };
}

function deniedTo(agent: Agent, identifier: string, published: Published): Rules {
  const endpoints = endpointsOf(agent, identifier, "ClusterNetworkPolicy", published);
  return {
    ingress: endpoints.map(({ peers }) => peers),
    egress: endpoints.map(() => "everyone"),
  };
}

/** What is remembered and still there. */
function endpointsOf(
  agent: Agent,
  identifier: string,
  kind: ModelPolicy["kind"],
  published: Published,
): readonly Endpoint[] {
  return memories(agent, identifier, kind).flatMap(({ policy, endpoint }) => {
    const current = published.get(policy);
    return current?.id === endpoint ? [current] : [];
  });
}

function memories(agent: Agent, identifier: string, kind: ModelPolicy["kind"]): readonly Memory[] {
  return (agent.remembered.get(identifier) ?? []).filter(({ policy }) => kindOf(policy) === kind);
}

function forgets(agent: Agent, policy: PolicyKey, identifier: string): Agent {
  const kept = (agent.remembered.get(identifier) ?? []).filter((each) => each.policy !== policy);
  return { ...agent, remembered: put(agent.remembered, identifier, kept) };
}

function load(agent: Agent, identifier: string, program: Program): Agent {
  return { ...agent, programs: new Map(agent.programs).set(identifier, program) };
}

/** An empty list is no entry. */
function put<Key, Item>(
  map: ReadonlyMap<Key, readonly Item[]>,
  key: Key,
  items: readonly Item[],
): ReadonlyMap<Key, readonly Item[]> {
  const next = new Map(map);
  if (items.length > 0) next.set(key, items);
  else next.delete(key);
  return next;
}
