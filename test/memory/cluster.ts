import type { Permission } from "../../core/cluster/rights.ts";
import { PermanentError } from "../../core/errors.ts";
import type {
  ConfigMap,
  DaemonSet,
  ExistingObject,
  FirstPage,
  HorizontalPodAutoscaler,
  JsonPatch,
  Kubernetes,
  Labels,
  Node,
  ObjectMeta,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  PolicyEndpoint,
  Service,
  Workload,
  WorkloadKind,
} from "../../core/kubernetes.ts";
import type { Denial, NetworkPolicy, PolicyKind, PolicySet } from "../../core/policies.ts";
import { type ContextState, contextState, memoryContextReads } from "./context-reads.ts";

interface Named {
  readonly metadata: ObjectMeta;
}

/** A cluster without an API server, for unit tests: what it holds can be set and looked at. */
export interface MemoryCluster extends Kubernetes {
  readonly state: ContextState & {
    namespaces: string[];
    /** Of every namespace, beside its name. */
    namespaceLabels: Labels;
    pods: Pod[];
    policies: PolicySet;
    policyKinds: PolicyKind[];
    endpoints: PolicyEndpoint[];
    nodes: Node[];
    claims: PersistentVolumeClaim[];
    persistentVolumes: PersistentVolume[];
    workloads: (Workload & { readonly kind: WorkloadKind })[];
    /** Those of kube-system. */
    daemonSets: DaemonSet[];
    calicoAgent: DaemonSet | null;
    configMaps: ConfigMap[];
    services: Service[];
    disruptionBudgets: PodDisruptionBudget[];
    autoscalers: HorizontalPodAutoscaler[];
    /** Why a pod of that name may not be evicted. */
    budgets: Record<string, string>;
    denied: Permission[];
    /** Every write that was made, in order: `patch Pod checkout-1`. */
    writes: string[];
    /** How many requests were made, reads and writes. */
    requests: number;
    /** Thrown by the next write that is described so, once. */
    failNextWrite: { write: string; error: Error } | null;
  };
}

const NO_POLICIES: PolicySet = {
  networkPolicies: [],
  applicationNetworkPolicies: [],
  clusterNetworkPolicies: [],
  ciliumNetworkPolicies: [],
  calicoPolicies: [],
};

/** Every policy of a set that holds NetworkPolicies only. */
export function networkPolicies(...policies: readonly NetworkPolicy[]): PolicySet {
  return { ...NO_POLICIES, networkPolicies: policies };
}

const SET_OF = {
  NetworkPolicy: "networkPolicies",
  ClusterNetworkPolicy: "clusterNetworkPolicies",
  CiliumNetworkPolicy: "ciliumNetworkPolicies",
  GlobalNetworkPolicy: "calicoPolicies",
} as const;

export function memoryCluster(initial: Partial<MemoryCluster["state"]> = {}): MemoryCluster {
  const state: MemoryCluster["state"] = {
    namespaces: ["payments"],
    namespaceLabels: {},
    pods: [],
    policies: NO_POLICIES,
    policyKinds: ["NetworkPolicy"],
    endpoints: [],
    nodes: [],
    claims: [],
    persistentVolumes: [],
    workloads: [],
    daemonSets: [],
    calicoAgent: null,
    configMaps: [],
    services: [],
    disruptionBudgets: [],
    autoscalers: [],
    budgets: {},
    denied: [],
    writes: [],
    requests: 0,
    failNextWrite: null,
    ...contextState(),
    ...initial,
  };
  const named = <T extends Named>(all: readonly T[], name: string) =>
    all.find(({ metadata }) => metadata.name === name) ?? null;
  const inNamespace = <T extends Named>(all: readonly T[], namespace: string) =>
    all.filter(({ metadata }) => metadata.namespace === namespace);
  const read = async <T>(value: T): Promise<T> => {
    state.requests += 1;
    return value;
  };
  const write = (description: string) => {
    state.requests += 1;
    const failure = state.failNextWrite;
    if (failure?.write === description) {
      state.failNextWrite = null;
      throw failure.error;
    }
    state.writes.push(description);
  };
  const firstPage = <T extends Named>(all: readonly T[], namespace: string): FirstPage<T> => ({
    items: inNamespace(all, namespace),
    remaining: 0,
  });
  const bearing = ({ kind, metadata }: Denial): ExistingObject | null =>
    state.policies[SET_OF[kind]].find(
      (each) =>
        each.metadata.name === metadata.name && each.metadata.namespace === metadata.namespace,
    ) ?? null;
  /** The policies without the one of that name, and with the given one. */
  const put = ({ kind, metadata }: Denial, object: Denial | null) => {
    const key = SET_OF[kind];
    const others = state.policies[key].filter((each) => each.metadata.name !== metadata.name);
    state.policies = { ...state.policies, [key]: object ? [...others, object] : others };
  };
  async function* pages<T>(all: readonly T[]) {
    yield await read(all);
  }

  return {
    state,
    ...memoryContextReads(state, read),
    namespace: (name) =>
      read(
        state.namespaces.includes(name)
          ? {
              metadata: {
                name,
                uid: `uid-of-${name}`,
                labels: { "kubernetes.io/metadata.name": name, ...state.namespaceLabels },
              },
            }
          : null,
      ),
    pod: (namespace, name) => read(named(inNamespace(state.pods, namespace), name)),
    podPages: (namespace, keep) => pages(inNamespace(state.pods, namespace).map(keep)),
    podMetadataPages: (namespace) => pages(inNamespace(state.pods, namespace)),
    node: (name) => read(named(state.nodes, name)),
    persistentVolumeClaim: (namespace, name) =>
      read(named(inNamespace(state.claims, namespace), name)),
    persistentVolume: (name) => read(named(state.persistentVolumes, name)),
    workload: (kind, namespace, name) =>
      read(
        named(
          inNamespace(state.workloads, namespace).filter((each) => each.kind === kind),
          name,
        ),
      ),
    systemDaemonSets: () => read(state.daemonSets),
    calicoAgent: () => read(state.calicoAgent),
    cniConfig: (name) => read(named(state.configMaps, name)),
    surroundings: (namespace) =>
      read({
        pods: firstPage(state.pods, namespace),
        services: firstPage(state.services, namespace),
        disruptionBudgets: firstPage(state.disruptionBudgets, namespace),
        autoscalers: firstPage(state.autoscalers, namespace),
      }),
    policyKinds: () => read(state.policyKinds),
    policies: (namespace) =>
      read({
        ...state.policies,
        networkPolicies: inNamespace(state.policies.networkPolicies, namespace),
      }),
    policyEndpoints: () => read(state.endpoints),

    async patch({ kind, name, uid }, patch) {
      write(`patch ${kind} ${name}`);
      const change = <T extends Named>(all: readonly T[]): T[] =>
        all.map((each) => (each.metadata.uid === uid ? patched(each, patch) : each));
      const all: readonly Named[] = [
        ...state.pods,
        ...state.nodes,
        ...state.workloads,
        ...state.policies.networkPolicies,
      ];
      if (!all.some(({ metadata }) => metadata.uid === uid)) return false;
      state.pods = change(state.pods);
      state.nodes = change(state.nodes);
      state.workloads = change(state.workloads);
      state.policies = {
        ...state.policies,
        networkPolicies: change(state.policies.networkPolicies),
      };
      return true;
    },
    async create(object) {
      write(`create ${object.kind} ${object.metadata.name}`);
      if (bearing(object)) return null;
      const uid = `uid-of-${object.metadata.name}`;
      put(object, { ...object, metadata: { ...object.metadata, uid } });
      return uid;
    },
    existing: (object) => read(bearing(object)),
    async replace(object, existing) {
      write(`replace ${object.kind} ${object.metadata.name}`);
      if (bearing(object)?.metadata.uid !== existing.metadata.uid) return false;
      put(object, {
        ...object,
        metadata: { ...object.metadata, uid: existing.metadata.uid ?? "" },
      });
      return true;
    },
    async delete({ kind, name, uid }) {
      write(`delete ${kind} ${name}`);
      const without = <T extends Named>(of: string, all: readonly T[]) =>
        all.filter(({ metadata }) => kind !== of || metadata.uid !== uid);
      state.policies = {
        ...state.policies,
        networkPolicies: without("NetworkPolicy", state.policies.networkPolicies),
        clusterNetworkPolicies: without(
          "ClusterNetworkPolicy",
          state.policies.clusterNetworkPolicies,
        ),
      };
    },
    async evict({ name, uid }) {
      const refusal = state.budgets[name];
      if (refusal !== undefined) return refusal;
      write(`evict Pod ${name}`);
      state.pods = state.pods.filter(({ metadata }) => metadata.uid !== uid);
      return null;
    },
    identity: () => read({ username: "apply-policy", groups: ["containment-apply-policy"] }),
    missing: (permissions) =>
      read(
        permissions.filter(({ verb, resource }) =>
          state.denied.some((each) => verb === each.verb && resource === each.resource),
        ),
      ),
  };
}

/** The object with the patch applied, as the API server would; a failed `test` refuses all of it. */
function patched<T>(object: T, patch: JsonPatch): T {
  const copy = structuredClone(object) as Record<string, unknown>;
  for (const { op, path, value } of patch) {
    const keys = path
      .slice(1)
      .split("/")
      .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = keys.pop() ?? "";
    let at = copy;
    for (const key of keys) at = at[key] as Record<string, unknown>;
    if (op === "add") at[last] = value;
    else if (op === "remove") delete at[last];
    else if (at[last] !== value) {
      throw new PermanentError("KubernetesRejected", `test of ${path} failed`);
    }
  }
  return copy as T;
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
      podIP: "10.0.0.11",
      containerStatuses: [{ name: "checkout", containerID: `containerd://${CONTAINER_ID}` }],
    },
  };
}

export function aPolicy(name: string, spec: NetworkPolicy["spec"]): NetworkPolicy {
  return {
    kind: "NetworkPolicy",
    metadata: { name, namespace: "payments", uid: `uid-of-${name}` },
    spec,
  };
}
