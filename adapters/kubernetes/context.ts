import type { ObjectMeta, Service } from "../../core/kubernetes.ts";
import type {
  Binding,
  ContextReads,
  RecordedObject,
  Role,
  ServiceAccount,
} from "../../core/kubernetes-context.ts";
import type { ApiClient } from "./client.ts";

const RBAC = "/apis/rbac.authorization.k8s.io/v1";

type Named = { readonly metadata: ObjectMeta };

/** The reads that are for the record. */
export function contextReads(api: ApiClient): ContextReads {
  const inside = (namespace: string) => `namespaces/${encodeURIComponent(namespace)}`;
  return {
    events: (namespace, uid) =>
      api.firstPage<RecordedObject>(`/api/v1/${inside(namespace)}/events`, {
        fields: uid === null ? "" : `involvedObject.uid=${uid}`,
      }),
    services: (namespace) => api.firstPage<Service>(`/api/v1/${inside(namespace)}/services`),
    endpointSlices: (namespace) =>
      api.firstPage<RecordedObject>(
        `/apis/discovery.k8s.io/v1/${inside(namespace)}/endpointslices`,
      ),
    serviceAccount: (namespace, name) =>
      api.get<ServiceAccount>(
        `/api/v1/${inside(namespace)}/serviceaccounts/${encodeURIComponent(name)}`,
      ),
    serviceAccountPages: () => api.pages<Named>("/api/v1/serviceaccounts", { metadataOnly: true }),

    async *bindingPages() {
      yield* api.pages<Binding>(`${RBAC}/rolebindings`);
      yield* api.pages<Binding>(`${RBAC}/clusterrolebindings`);
    },

    role: (namespace, name) =>
      api.get<Role>(
        namespace === null
          ? `${RBAC}/clusterroles/${encodeURIComponent(name)}`
          : `${RBAC}/${inside(namespace)}/roles/${encodeURIComponent(name)}`,
      ),
    podsOnNode: (node) =>
      api.pages<Named>("/api/v1/pods", { metadataOnly: true, fields: `spec.nodeName=${node}` }),
    podsOfServiceAccount: (namespace, name) =>
      api.pages<Named>(`/api/v1/${inside(namespace)}/pods`, {
        metadataOnly: true,
        fields: `spec.serviceAccountName=${name}`,
      }),

    containerLog({ namespace, pod, container, previous }, { tailLines, limitBytes, timeoutMs }) {
      const query = new URLSearchParams({
        container,
        previous: String(previous),
        timestamps: "true",
        tailLines: String(tailLines),
        limitBytes: String(limitBytes),
      });
      const path = `/api/v1/${inside(namespace)}/pods/${encodeURIComponent(pod)}/log`;
      return api.text(`${path}?${query}`, timeoutMs);
    },
  };
}
