import type {
  Kubernetes,
  NetworkPolicy,
  Node,
  Permission,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
} from "../../core/kubernetes.ts";

/** A cluster without an API server, for unit tests: what it holds can be set and looked at. */
export interface MemoryCluster extends Kubernetes {
  readonly state: {
    namespaces: string[];
    pods: Pod[];
    policies: NetworkPolicy[];
    nodes: Node[];
    claims: PersistentVolumeClaim[];
    persistentVolumes: PersistentVolume[];
    denied: Permission[];
    /** Every write that was asked for, in order. */
    writes: string[];
    /** Thrown by the next write of that name, once. */
    failNextWrite: { name: string; error: Error } | null;
  };
}

export function memoryCluster(initial: Partial<MemoryCluster["state"]> = {}): MemoryCluster {
  const state: MemoryCluster["state"] = {
    namespaces: ["payments"],
    pods: [],
    policies: [],
    nodes: [],
    claims: [],
    persistentVolumes: [],
    denied: [],
    writes: [],
    failNextWrite: null,
    ...initial,
  };
  const named = <T extends { metadata: { name: string } }>(all: readonly T[], name: string) =>
    all.find(({ metadata }) => metadata.name === name) ?? null;
  const inNamespace = <T extends { metadata: { namespace?: string } }>(
    all: readonly T[],
    namespace: string,
  ) => all.filter(({ metadata }) => metadata.namespace === namespace);
  const write = (name: string) => {
    state.writes.push(name);
    const failure = state.failNextWrite;
    if (failure?.name !== name) return;
    state.failNextWrite = null;
    throw failure.error;
  };

  return {
    state,
    namespace: async (name) =>
      state.namespaces.includes(name) ? { metadata: { name, uid: `uid-of-${name}` } } : null,
    pod: async (namespace, name) => named(inNamespace(state.pods, namespace), name),
    pods: async (namespace) => inNamespace(state.pods, namespace),
    networkPolicies: async (namespace) => inNamespace(state.policies, namespace),
    node: async (name) => named(state.nodes, name),
    persistentVolumeClaim: async (namespace, name) =>
      named(inNamespace(state.claims, namespace), name),
    persistentVolume: async (name) => named(state.persistentVolumes, name),
    async replacePodLabels({ uid }, labels) {
      write("replacePodLabels");
      const pod = state.pods.find(({ metadata }) => metadata.uid === uid);
      if (!pod) return false;
      const changed = { ...pod, metadata: { ...pod.metadata, labels } };
      state.pods = state.pods.map((each) => (each === pod ? changed : each));
      return true;
    },
    async applyNetworkPolicy(policy) {
      write("applyNetworkPolicy");
      const { name, namespace } = policy.metadata;
      const applied = { ...policy, metadata: { ...policy.metadata, uid: `uid-of-${name}` } };
      state.policies = [
        ...state.policies.filter(
          ({ metadata }) => metadata.name !== name || metadata.namespace !== namespace,
        ),
        applied,
      ];
      return applied;
    },
    identity: async () => ({ username: "apply-policy", groups: ["containment-responders"] }),
    allowed: async (permission) =>
      !state.denied.some(
        ({ verb, resource }) => verb === permission.verb && resource === permission.resource,
      ),
  };
}

/** Container id of the pods that `aPod` makes. */
export const CONTAINER_ID = `5c0ab5e4f1d3${"0".repeat(52)}`;

export function aPod(
  overrides: { metadata?: Partial<Pod["metadata"]>; spec?: Partial<Pod["spec"]> } = {},
): Pod {
  return {
    metadata: {
      name: "checkout-1",
      namespace: "payments",
      uid: "uid-1",
      labels: { app: "checkout", "pod-template-hash": "6d8f" },
      ...overrides.metadata,
    },
    spec: {
      nodeName: "node-1",
      containers: [{ name: "checkout", image: "checkout:1.4.2" }],
      ...overrides.spec,
    },
    status: {
      phase: "Running",
      containerStatuses: [{ name: "checkout", containerID: `containerd://${CONTAINER_ID}` }],
    },
  };
}

export function aPolicy(name: string, spec: NetworkPolicy["spec"]): NetworkPolicy {
  return { metadata: { name, namespace: "payments" }, spec };
}
