import type { Labels } from "../../kubernetes.ts";
import { selects } from "../selector.ts";
import { type Agent, freshAgent, hears, podStarts, podStops, programOf } from "./agent.ts";
import { podIdentifier } from "./identifier.ts";
import {
  allows,
  type Endpoint,
  endpointOf,
  keyOf,
  type ModelPod,
  type ModelPolicy,
  namesPods,
  type PolicyKey,
} from "./published.ts";
import {
  admits,
  carriesOn,
  type Direction,
  type Flow,
  opensFlow,
  type Peer,
  type Program,
  stillPasses,
} from "./traffic.ts";

/*
 * The AWS VPC CNI's enforcement as it behaves, as a discrete-event model: the controller that
 * resolves policies into endpoints (amazon-network-policy-controller-k8s 1.1.7), an agent per node
 * (agent.ts) and what its programs do to packets (traffic.ts). It exists to hold the product's
 * claims against: every situation that was observed with packets is a test of it.
 *
 * Where two things happen in no set order the model takes the one that leaves more open.
 * Not modelled: strict mode, IPv6, ports, rules of ClusterNetworkPolicies other than our own,
 * policies of one name in two namespaces (which the agent mixes up when it forgets), agents that come
 * back with other programs, the clean-up of connections that the kernel no longer knows (it can only
 * cut more), and a ReplicaSet that adopts and deletes a pod which got its labels back.
 */

/** Seen: a change of a policy took effect after 5 to 60 ms (up to 296 ms where no program was yet
 * on the pod). Here it is split into the controller's part and the agents'. */
export const RESOLVE_MS = 10;
export const ENFORCE_MS = 30;
/** The controller gathers changes of pods for a second. Seen: effect after 1.0 to 1.4 s, in a
 * rollout after up to 2.25 s. */
export const POD_BATCH_MS = 1000;

export type Event =
  | { readonly event: "podCreated"; readonly pod: ModelPod }
  | { readonly event: "podDeleted"; readonly name: string }
  | { readonly event: "labelsReplaced"; readonly name: string; readonly labels: Labels }
  | { readonly event: "policyCreated"; readonly policy: ModelPolicy }
  | {
      readonly event: "policyDeleted";
      readonly kind: ModelPolicy["kind"];
      readonly name: string;
    }
  /**
   * The agent takes up everything that is published once more, though nothing changed. It does so 9
   * to 11 hours after its start and as often again (controller-runtime's default, which it does not
   * set), and may whenever its watch has to begin anew. Source; not seen with packets.
   */
  | { readonly event: "agentResynced"; readonly node: string }
  /** It comes back without its memory; what was loaded stays loaded meanwhile. */
  | { readonly event: "agentRestarted"; readonly node: string }
  | { readonly event: "flowOpened"; readonly flow: Omit<Flow, "tracked"> };

export interface Cluster {
  readonly nowMs: number;
  readonly pods: ReadonlyMap<string, ModelPod>;
  readonly policies: ReadonlyMap<PolicyKey, { readonly policy: ModelPolicy; readonly id: string }>;
  readonly published: ReadonlyMap<PolicyKey, Endpoint>;
  readonly agents: ReadonlyMap<string, Agent>;
  readonly flows: ReadonlyMap<string, Flow>;
  readonly due: readonly Due[];
  readonly policiesEver: number;
}

interface Due {
  readonly atMs: number;
  readonly what: "resolve" | "enforce";
  readonly policy: PolicyKey;
}

/** An empty cluster of these nodes, each with an agent. */
export function clusterOf(nodes: readonly string[]): Cluster {
  return {
    nowMs: 0,
    pods: new Map(),
    policies: new Map(),
    published: new Map(),
    agents: new Map(nodes.map((node) => [node, freshAgent(node)])),
    flows: new Map(),
    due: [],
    policiesEver: 0,
  };
}

/** The events happen now, one after the other, in no time. */
export function happen(cluster: Cluster, ...events: readonly Event[]): Cluster {
  return events.reduce((before, event) => flowsCarryOn(one(before, event)), cluster);
}

/** Lets time pass, and with it whatever was due. */
export function wait(cluster: Cluster, ms: number): Cluster {
  const untilMs = cluster.nowMs + ms;
  let current = cluster;
  for (;;) {
    const atMs = Math.min(...current.due.map((due) => due.atMs));
    if (atMs > untilMs) return { ...current, nowMs: untilMs };
    const now = current.due.filter((due) => due.atMs === atMs);
    current = { ...current, nowMs: atMs, due: current.due.filter((due) => due.atMs !== atMs) };
    for (const { what, policy } of now) {
      if (what === "resolve") current = resolve(current, policy);
    }
    const changed = now.filter(({ what }) => what === "enforce").map(({ policy }) => policy);
    current = flowsCarryOn(enforce(current, changed));
  }
}

/** Would a flow that starts now pass this pod's end? Its peer's end can only close more. */
export function opens(cluster: Cluster, pod: string, peer: Peer, direction: Direction): boolean {
  return admits(programAt(cluster, pod), direction, peer);
}

/** Does a flow that was opened earlier still pass, in either direction, at this pod's end? */
export function passes(cluster: Cluster, name: string): boolean {
  const flow = cluster.flows.get(name);
  if (!flow) throw new Error(`no flow ${name} was opened`);
  return stillPasses(flow, programAt(cluster, flow.pod));
}

/** The policies whose published endpoints list a pod of this identifier: what one waits for. */
export function listing(cluster: Cluster, identifier: string): readonly string[] {
  return [...cluster.published.values()]
    .filter(({ pods }) => pods.some(({ name }) => podIdentifier(name) === identifier))
    .map(({ policy }) => policy.name);
}

function one(cluster: Cluster, event: Event): Cluster {
  switch (event.event) {
    case "podCreated": {
      const { pod } = event;
      const pods = new Map(cluster.pods).set(pod.name, pod);
      const created = onNode({ ...cluster, pods }, pod.node, (agent) =>
        podStarts(agent, pod.name, cluster.published),
      );
      return podChanged(created, [pod.labels]);
    }
    case "podDeleted": {
      const pod = podNamed(cluster, event.name);
      const pods = new Map(cluster.pods);
      pods.delete(pod.name);
      const flows = new Map([...cluster.flows].filter(([, flow]) => flow.pod !== pod.name));
      const deleted = onNode({ ...cluster, pods, flows }, pod.node, (agent) =>
        podStops(agent, pod.name),
      );
      return podChanged(deleted, [pod.labels]);
    }
    case "labelsReplaced": {
      const pod = podNamed(cluster, event.name);
      const pods = new Map(cluster.pods).set(pod.name, { ...pod, labels: event.labels });
      return podChanged({ ...cluster, pods }, [pod.labels, event.labels]);
    }
    case "policyCreated": {
      const key = keyOf(event.policy);
      const policiesEver = cluster.policiesEver + 1;
      const entry = { policy: event.policy, id: `${key}#${policiesEver}` };
      const policies = new Map(cluster.policies).set(key, entry);
      return plan({ ...cluster, policies, policiesEver }, "resolve", key, RESOLVE_MS);
    }
    case "policyDeleted": {
      const policies = new Map(cluster.policies);
      policies.delete(keyOf(event));
      return plan({ ...cluster, policies }, "resolve", keyOf(event), RESOLVE_MS);
    }
    case "agentResynced":
      return onNode(cluster, event.node, (agent) =>
        hearsAll(agent, [...cluster.published.keys()], cluster),
      );
    case "agentRestarted":
      return onNode(cluster, event.node, ({ node, programs }) =>
        hearsAll({ ...freshAgent(node), programs }, [...cluster.published.keys()], cluster),
      );
    case "flowOpened": {
      const { flow } = event;
      const fresh = { ...flow, tracked: { ingress: null, egress: null } };
      const opened = opensFlow(fresh, programAt(cluster, flow.pod));
      return { ...cluster, flows: new Map(cluster.flows).set(flow.name, opened) };
    }
  }
}

function podChanged(cluster: Cluster, labels: readonly Labels[]): Cluster {
  let next = cluster;
  for (const { policy } of cluster.policies.values()) {
    const concerned = namesPods(policy) || labels.some((each) => selects(policy.selector, each));
    if (concerned) next = plan(next, "resolve", keyOf(policy), POD_BATCH_MS + RESOLVE_MS);
  }
  return next;
}

/** What is already due no later serves this too: so changes of pods are gathered. */
function plan(cluster: Cluster, what: Due["what"], policy: PolicyKey, inMs: number): Cluster {
  const atMs = cluster.nowMs + inMs;
  const served = cluster.due.some(
    (due) => due.what === what && due.policy === policy && due.atMs <= atMs,
  );
  return served ? cluster : { ...cluster, due: [...cluster.due, { atMs, what, policy }] };
}

/** The controller's turn. Nothing is written, and no agent hears, when nothing changed. */
function resolve(cluster: Cluster, key: PolicyKey): Cluster {
  const entry = cluster.policies.get(key);
  const before = cluster.published.get(key);
  const published = new Map(cluster.published);
  if (entry) {
    const endpoint = endpointOf(entry.policy, entry.id, [...cluster.pods.values()]);
    if (before && JSON.stringify(before) === JSON.stringify(endpoint)) return cluster;
    published.set(key, endpoint);
  } else {
    if (!before) return cluster;
    published.delete(key);
  }
  return plan({ ...cluster, published }, "enforce", key, ENFORCE_MS);
}

/** Every agent hears of every policy. */
function enforce(cluster: Cluster, changed: readonly PolicyKey[]): Cluster {
  const agents = [...cluster.agents.values()].map((agent) => hearsAll(agent, changed, cluster));
  return { ...cluster, agents: new Map(agents.map((agent) => [agent.node, agent])) };
}

/**
 * An agent hears of one policy at a time, and of several at once in no set order. Worst for us: a
 * ClusterNetworkPolicy while allowing rules are still loaded (it judges flows again too early),
 * allowing policies late, and the denying ones once more after an allowing one is remembered.
 */
function hearsAll(
  agent: Agent,
  keys: readonly PolicyKey[],
  { policies, published }: Cluster,
): Agent {
  const policyAt = (key: PolicyKey) => policies.get(key)?.policy ?? published.get(key)?.policy;
  const allowing = keys.filter((key) => {
    const policy = policyAt(key);
    return policy !== undefined && allows(policy);
  });
  const denying = keys
    .filter((key) => !allowing.includes(key))
    // "ClusterNetworkPolicy/..." comes before "NetworkPolicy/...".
    .toSorted();
  const again = allowing.length > 0 ? denying : [];
  return [...denying, ...allowing, ...again].reduce(
    (each, key) => hears(each, key, published),
    agent,
  );
}

function flowsCarryOn(cluster: Cluster): Cluster {
  if (cluster.flows.size === 0) return cluster;
  const flows = [...cluster.flows.values()].map((flow) =>
    carriesOn(flow, programAt(cluster, flow.pod)),
  );
  return { ...cluster, flows: new Map(flows.map((flow) => [flow.name, flow])) };
}

function onNode(cluster: Cluster, node: string, change: (agent: Agent) => Agent): Cluster {
  const agents = new Map(cluster.agents).set(node, change(agentOn(cluster, node)));
  return { ...cluster, agents };
}

function programAt(cluster: Cluster, pod: string): Program {
  return programOf(agentOn(cluster, podNamed(cluster, pod).node), pod);
}

function agentOn(cluster: Cluster, node: string): Agent {
  const agent = cluster.agents.get(node);
  if (!agent) throw new Error(`the cluster has no node ${node}`);
  return agent;
}

function podNamed(cluster: Cluster, name: string): ModelPod {
  const pod = cluster.pods.get(name);
  if (!pod) throw new Error(`the cluster has no pod ${name}`);
  return pod;
}
