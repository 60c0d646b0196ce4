import type { ObjectMeta, Service } from "../../core/kubernetes.ts";
import type {
  Binding,
  ContextReads,
  RecordedObject,
  Role,
  ServiceAccount,
} from "../../core/kubernetes-context.ts";
import { type ApiClient, whole } from "./client.ts";

const RBAC = "/apis/rbac.authorization.k8s.io/v1";

type Named = { readonly metadata: ObjectMeta };

/** The reads that are for the record. */
export function contextReads(api: ApiClient): ContextReads {
  const inside = (namespace: string) => `namespaces/${encodeURIComponent(namespace)}`;
  return {
    events: (namespace, uid) =>
      api.firstPage<RecordedObject, RecordedObject>(
        `/api/v1/${inside(namespace)}/events`,
        { fields: uid === null ? "" : `involvedObject.uid=${uid}` },
        whole,
      ),
    services: (namespace) =>
      api.firstPage<Service, Service>(`/api/v1/${inside(namespace)}/services`, {}, whole),
    endpointSlices: (namespace) =>
      api.firstPage<RecordedObject, RecordedObject>(
        `/apis/discovery.k8s.io/v1/${inside(namespace)}/endpointslices`,
        {},
        whole,
      ),
    serviceAccount: (namespace, name) =>
      api.get<ServiceAccount>(
        `/api/v1/${inside(namespace)}/serviceaccounts/${encodeURIComponent(name)}`,
      ),
    serviceAccountPages: () => api.pages("/api/v1/serviceaccounts", { metadataOnly: true }, named),

    async *bindingPages() {
      yield* api.pages<Binding, Binding>(`${RBAC}/rolebindings`, {}, whole);
      yield* api.pages<Binding, Binding>(`${RBAC}/clusterrolebindings`, {}, whole);
    },

    role: (namespace, name) =>
      api.get<Role>(
        namespace === null
          ? `${RBAC}/clusterroles/${encodeURIComponent(name)}`
          : `${RBAC}/${inside(namespace)}/roles/${encodeURIComponent(name)}`,
      ),
    podsOnNode: (node) =>
      api.pages("/api/v1/pods", { metadataOnly: true, fields: `spec.nodeName=${node}` }, named),
    podsOfServiceAccount: (namespace, name) =>
      api.pages(
        `/api/v1/${inside(namespace)}/pods`,
        { metadataOnly: true, fields: `spec.serviceAccountName=${name}` },
        named,
      ),

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

/** Without the managed fields, which are most of an object's metadata. */
export function named({ metadata }: Named): Named {
  const { name, namespace, uid, labels, annotations, ownerReferences, deletionTimestamp } =
    metadata;
  return {
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      ...(ownerReferences && { ownerReferences }),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    },
  };
}
