/**
 * Random scenes: labels of fixed namespaces and pods, and policies for them.
 *
 * The policies keep within what kube-router 1.6.1 enforces as the NetworkPolicy API describes it,
 * because beyond that a difference says nothing about our evaluator. `scenes.test.ts` shows each of
 * these limits on packets:
 *
 * 1. A policy for both directions has one chain for both, and the packets of either direction run
 *    through it: between two pods that it selects, what one direction allows opens the other. So a
 *    policy for both directions has no rules, or selects a single pod.
 * 2. A rule whose port names are declared by no pod is a rule without ports, which for selected pods
 *    opens every port. So a port name never stands alone.
 * 3. A port name in egress to everywhere stands for the ports of the policy's own namespace, at every
 *    destination; to an IP block it stands for nothing. So in egress it goes with selected pods.
 * 4. The blocks of a rule and their exceptions share one set, in which the longest prefix decides. So
 *    a rule has at most one block.
 *
 * Also left out: SCTP (the pods answer only TCP and UDP), pods on the host's network (they have none
 * of their own), a pod's flows to itself (they never leave it), and flows from the node (its own pods
 * always admit them) and to it (kube-router keeps pods from their own node, the API does not).
 */
import fc, { type Arbitrary } from "fast-check";
import type { ContainerPort, LabelSelector, Labels } from "../../core/kubernetes.ts";
import type {
  EgressRule,
  IngressRule,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicySpec,
} from "../../core/policies.ts";

export const NAMESPACES = ["red", "green", "blue"] as const;

/** Every pod answers on these, over TCP and UDP. */
export const PORTS = [80, 5353, 8080] as const;

/** Two pods in each namespace; the same name stands for different ports, or for none. */
export const PODS: readonly {
  readonly namespace: (typeof NAMESPACES)[number];
  readonly name: string;
  readonly address: string;
  readonly declares: readonly ContainerPort[];
}[] = [
  pod("red", 0, [tcp("web", 80), udp("dns", 5353)]),
  pod("red", 1, [tcp("web", 8080)]),
  pod("green", 2, [udp("web", 80)]),
  pod("green", 3, []),
  pod("blue", 4, [tcp("web", 80), tcp("dns", 5353)]),
  pod("blue", 5, [tcp("web", 5353), udp("dns", 80)]),
];

/** localkube gives out pod addresses in the order of the pods, from 10.244.0.10 on. */
function pod(namespace: (typeof NAMESPACES)[number], index: number, declares: ContainerPort[]) {
  return { namespace, name: `pod-${index}`, address: `10.244.0.${10 + index}`, declares };
}

function tcp(name: string, containerPort: number): ContainerPort {
  return { name, containerPort };
}

function udp(name: string, containerPort: number): ContainerPort {
  return { name, containerPort, protocol: "UDP" };
}

/** No pod, some pods, all pods; with exceptions that the API server admits: each a part of its block. */
const BLOCKS: Readonly<Record<string, readonly string[]>> = {
  "0.0.0.0/0": ["10.244.0.0/16", "10.244.0.12/30", "10.244.0.11/32"],
  "10.244.0.0/16": ["10.244.0.10/31", "10.244.0.8/29", "10.244.0.15/32"],
  "10.244.0.8/29": ["10.244.0.12/30", "10.244.0.14/31", "10.244.0.10/32"],
  "10.244.0.12/30": ["10.244.0.13/32", "10.244.0.14/31"],
  "10.244.0.13/32": [],
  "192.168.0.0/16": [],
};

export interface RandomScene {
  readonly namespaceLabels: readonly Labels[];
  readonly podLabels: readonly Labels[];
  readonly policies: readonly NetworkPolicy[];
}

const VALUES = ["a", "b"];
const KEYS = ["app", "tier"];
/** A label that tells each pod from every other. */
const NAME = "name";

const value = fc.constantFrom(...VALUES);
const key = fc.constantFrom(...KEYS);
const labels: Arbitrary<Labels> = fc.dictionary(key, value, { maxKeys: KEYS.length });

const expression = fc.oneof(
  fc.record({
    key,
    operator: fc.constantFrom("In", "NotIn"),
    values: fc.uniqueArray(value, { minLength: 1, maxLength: 2 }),
  }),
  fc.record({ key, operator: fc.constantFrom("Exists", "DoesNotExist") }),
);

const selector: Arbitrary<LabelSelector> = fc.oneof(
  fc.constant({}),
  fc.record({ matchLabels: labels }),
  fc.record({ matchExpressions: fc.array(expression, { minLength: 1, maxLength: 2 }) }),
  fc.record({ matchLabels: labels, matchExpressions: fc.tuple(expression) }),
);

/** Namespaces are also selected by the label that Kubernetes gives them. */
const namespaceSelector: Arbitrary<LabelSelector> = fc.oneof(
  selector,
  fc.constantFrom(...NAMESPACES).map((name) => ({
    matchLabels: { "kubernetes.io/metadata.name": name },
  })),
);

const podPeer: Arbitrary<NetworkPolicyPeer> = fc.oneof(
  fc.record({ podSelector: selector }),
  fc.record({ namespaceSelector }),
  fc.record({ podSelector: selector, namespaceSelector }),
);

const blockPeer: Arbitrary<NetworkPolicyPeer> = fc
  .constantFrom(...Object.keys(BLOCKS))
  .chain((cidr) =>
    fc.subarray([...(BLOCKS[cidr] ?? [])]).map((except) => ({
      ipBlock: except.length > 0 ? { cidr, except } : { cidr },
    })),
  );

const podPeers = fc.array(podPeer, { minLength: 1, maxLength: 2 });
const peers = fc.oneof(
  podPeers,
  blockPeer.map((block) => [block]),
  fc.tuple(podPeer, blockPeer),
);

const protocol = fc.constantFrom("TCP", "UDP");
const port = fc.constantFrom(...PORTS);
const numberedPort: Arbitrary<NetworkPolicyPort> = fc.oneof(
  fc.record({ protocol, port }),
  fc.record({ port }), // TCP
  fc.record({ protocol }), // every port
  fc
    .record({ protocol, port, width: fc.constantFrom(0, 1, 5300, 20_000) })
    .map(({ protocol, port, width }) => ({ protocol, port, endPort: port + width })),
);
const namedPort: Arbitrary<NetworkPolicyPort> = fc.record(
  { protocol, port: fc.constantFrom("web", "dns", "nowhere") },
  { requiredKeys: ["port"] },
);
const numberedPorts = fc.array(numberedPort, { minLength: 1, maxLength: 2 });
const anyPorts = fc.oneof(numberedPorts, fc.tuple(numberedPort, namedPort));

const ingressRule: Arbitrary<IngressRule> = fc.record(
  { from: peers, ports: anyPorts },
  { requiredKeys: [] },
);
const egressRule: Arbitrary<EgressRule> = fc.oneof(
  fc.record({ to: peers, ports: numberedPorts }, { requiredKeys: [] }),
  fc.record({ to: podPeers, ports: anyPorts }),
);
const ingress = fc.array(ingressRule, { maxLength: 2 });
const egress = fc.array(egressRule, { maxLength: 2 });

const singlePod: Arbitrary<LabelSelector> = fc
  .constantFrom(...PODS)
  .map(({ name }) => ({ matchLabels: { [NAME]: name } }));

const spec: Arbitrary<NetworkPolicySpec> = fc.oneof(
  fc.record({ podSelector: selector, ingress }), // policyTypes left out: Ingress
  fc.record({ podSelector: selector, policyTypes: fc.constant(["Ingress"]), ingress, egress }),
  fc.record({ podSelector: selector, policyTypes: fc.constant(["Egress"]), egress, ingress }),
  fc.record({ podSelector: selector, policyTypes: fc.constant(["Ingress", "Egress"]) }),
  fc.record({
    podSelector: singlePod,
    policyTypes: fc.constant(["Ingress", "Egress"]),
    ingress,
    egress,
  }),
  fc.record({ podSelector: singlePod, ingress, egress }), // Egress too when it has a rule
);

const policy = fc.record({ namespace: fc.constantFrom(...NAMESPACES), spec });

export const randomScene: Arbitrary<RandomScene> = fc
  .record({
    namespaceLabels: fc.tuple(...NAMESPACES.map(() => labels)),
    podLabels: fc.tuple(
      ...PODS.map(({ name }) => labels.map((random) => ({ ...random, [NAME]: name }))),
    ),
    policies: fc.array(policy, { minLength: 1, maxLength: 4 }),
  })
  .map((scene) => ({
    ...scene,
    policies: scene.policies.map(({ namespace, spec }, index) =>
      policyOf(namespace, `policy-${index}`, spec),
    ),
  }));

function policyOf(namespace: string, name: string, spec: NetworkPolicySpec): NetworkPolicy {
  const kind = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy" };
  return { ...kind, metadata: { namespace, name }, spec };
}

/** A scene in which one pod is to be quarantined. */
export interface RandomQuarantine {
  readonly scene: RandomScene;
  /** Of PODS. */
  readonly target: number;
}

/** Also selects pods that have lost their labels. */
const unlabelled: Arbitrary<LabelSelector> = fc.oneof(
  fc.constant({}),
  key.map((key) => ({ matchExpressions: [{ key, operator: "DoesNotExist" }] })),
  fc.record({ key, values: fc.tuple(value) }).map((none) => ({
    matchExpressions: [{ ...none, operator: "NotIn" }],
  })),
);
const lasting: Arbitrary<NetworkPolicySpec> = fc.oneof(
  fc.record({
    podSelector: unlabelled,
    ingress: fc.array(ingressRule, { minLength: 1, maxLength: 2 }),
  }),
  fc.record({
    podSelector: unlabelled,
    policyTypes: fc.constant(["Egress"]),
    egress: fc.array(egressRule, { minLength: 1, maxLength: 2 }),
  }),
);

/** Two of three have a policy that may allow the pod something still. */
export const randomQuarantine: Arbitrary<RandomQuarantine> = fc
  .record({
    scene: randomScene,
    target: fc.nat(PODS.length - 1),
    lasting: fc.option(lasting, { freq: 2 }),
  })
  .map(({ scene, target, lasting }) => {
    const { namespace = "" } = PODS[target] ?? {};
    const more = lasting ? [policyOf(namespace, "policy-lasting", lasting)] : [];
    return { scene: { ...scene, policies: [...scene.policies, ...more] }, target };
  });
