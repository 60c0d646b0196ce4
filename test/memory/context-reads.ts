import { TransientError } from "../../core/errors.ts";
import type { ObjectMeta, Pod, Service } from "../../core/kubernetes.ts";
import type {
  Binding,
  ContainerRef,
  ContextReads,
  RecordedObject,
  Role,
  ServiceAccount,
} from "../../core/kubernetes-context.ts";

/** What the cluster in memory holds for the record. */
export interface ContextState {
  readonly pods: Pod[];
  readonly services: Service[];
  events: RecordedObject[];
  endpointSlices: RecordedObject[];
  serviceAccounts: ServiceAccount[];
  bindings: Binding[];
  roles: Role[];
  /** By `namespace/pod/container`, with `/previous` for the last one. */
  logs: Map<string, string>;
  /** Reads that fail, by their names. */
  unreadable: (keyof ContextReads)[];
}

export function contextState(): Omit<ContextState, "pods" | "services"> {
  return {
    ...{ events: [], endpointSlices: [], serviceAccounts: [], bindings: [], roles: [] },
    ...{ logs: new Map(), unreadable: [] },
  };
}

export function logKey({ namespace, pod, container, previous }: ContainerRef): string {
  return `${namespace}/${pod}/${container}${previous ? "/previous" : ""}`;
}

/** The reads of the port that are for the record, on what is in memory. */
export function memoryContextReads(
  state: ContextState,
  read: <T>(value: T) => Promise<T>,
): ContextReads {
  type Named = { readonly metadata: ObjectMeta };
  const inside = <T extends Named>(all: readonly T[], namespace: string) =>
    all.filter(({ metadata }) => metadata.namespace === namespace);
  const first = <T>(items: readonly T[]) => ({ items, remaining: 0 });
  const names = (objects: readonly Named[]) => objects.map(({ metadata }) => ({ metadata }));
  const answer = <T>(name: keyof ContextReads, value: T): Promise<T> => {
    if (!state.unreadable.includes(name)) return read(value);
    return Promise.reject(new TransientError("KubernetesUnavailable", `${name} fails`));
  };
  async function* page<T>(name: keyof ContextReads, all: readonly T[]) {
    yield await answer(name, all);
  }
  return {
    events: (namespace, uid) =>
      answer(
        "events",
        first(
          inside(state.events, namespace).filter(
            ({ involvedObject }) =>
              uid === null || (involvedObject as { readonly uid?: string }).uid === uid,
          ),
        ),
      ),
    services: (namespace) => answer("services", first(inside(state.services, namespace))),
    endpointSlices: (namespace) =>
      answer("endpointSlices", first(inside(state.endpointSlices, namespace))),
    serviceAccount: (namespace, name) =>
      answer(
        "serviceAccount",
        inside(state.serviceAccounts, namespace).find(({ metadata }) => metadata.name === name) ??
          null,
      ),
    serviceAccountPages: () => page("serviceAccountPages", names(state.serviceAccounts)),
    bindingPages: () => page("bindingPages", state.bindings),
    role: (namespace, name) =>
      answer(
        "role",
        state.roles.find(
          ({ metadata }) => metadata.name === name && (metadata.namespace ?? null) === namespace,
        ) ?? null,
      ),
    podsOnNode: (node) =>
      page("podsOnNode", names(state.pods.filter(({ spec }) => spec.nodeName === node))),
    podsOfServiceAccount: (namespace, name) =>
      page(
        "podsOfServiceAccount",
        names(
          inside(state.pods, namespace).filter(
            ({ spec }) => (spec.serviceAccountName ?? "default") === name,
          ),
        ),
      ),
    containerLog: (container) => answer("containerLog", state.logs.get(logKey(container)) ?? ""),
  };
}
