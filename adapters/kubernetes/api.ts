import { TransientError } from "../../core/errors.ts";
import {
  CALICO_AGENT,
  type ConfigMap,
  type DaemonSet,
  type ExistingObject,
  type HorizontalPodAutoscaler,
  type Kubernetes,
  type Namespace,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  type PodDisruptionBudget,
  type Service,
  SYSTEM_NAMESPACE,
  type Workload,
  type WorkloadKind,
} from "../../core/kubernetes.ts";
import type { Denial } from "../../core/policies.ts";
import { missingPermissions } from "./access.ts";
import { apiClient, whole } from "./client.ts";
import { contextReads, named } from "./context.ts";
import { isAnother, refusalOf } from "./eviction.ts";
import { policiesFor, policyEndpointsFor, servedPolicyKinds } from "./policies.ts";
import { collectionPath, objectPath } from "./resources.ts";
import { type ApiAnswer, failureOf, messageOf, type Transport } from "./transport.ts";

/** Refuse an object with a field that the kind does not have, instead of dropping the field. */
const STRICT = "?fieldValidation=Strict";

const DAEMON_SETS = { apiVersion: "apps/v1", kind: "DaemonSet" };

/** A page of whole pods is about a megabyte, and a file of evidence. */
const POD_PAGE_SIZE = 100;

/** The cluster behind a transport. Names come from proven targets, and are encoded all the same. */
export function kubernetesApi(transport: Transport): Kubernetes {
  const api = apiClient(transport);
  const core = (namespace: string, resource: string, name = "") =>
    `/api/v1/namespaces/${encodeURIComponent(namespace)}/${resource}${name && `/${encodeURIComponent(name)}`}`;
  const addressOf = ({ apiVersion, kind, metadata }: Denial) => ({
    apiVersion,
    kind,
    namespace: metadata.namespace ?? null,
    name: metadata.name,
  });

  return {
    namespace: (name) => api.get<Namespace>(`/api/v1/namespaces/${encodeURIComponent(name)}`),
    pod: (namespace, name) => api.get<Pod>(core(namespace, "pods", name)),
    podPages: (namespace, keep) =>
      api.pages(core(namespace, "pods"), { size: POD_PAGE_SIZE, once: true }, keep),
    podMetadataPages: (namespace) =>
      api.pages(core(namespace, "pods"), { metadataOnly: true }, named),
    node: (name) => api.get<Node>(`/api/v1/nodes/${encodeURIComponent(name)}`),
    persistentVolumeClaim: (namespace, name) =>
      api.get<PersistentVolumeClaim>(core(namespace, "persistentvolumeclaims", name)),
    persistentVolume: (name) =>
      api.get<PersistentVolume>(`/api/v1/persistentvolumes/${encodeURIComponent(name)}`),
    workload: (kind, namespace, name) =>
      api.get<Workload>(objectPath({ apiVersion: apiVersionOf(kind), kind, namespace, name })),
    systemDaemonSets: () =>
      api.list<DaemonSet>(collectionPath({ ...DAEMON_SETS, namespace: SYSTEM_NAMESPACE })),
    calicoAgent: () => api.get<DaemonSet>(objectPath({ ...DAEMON_SETS, ...CALICO_AGENT })),
    cniConfig: (name) => api.get<ConfigMap>(core(SYSTEM_NAMESPACE, "configmaps", name)),

    async surroundings(namespace) {
      const inside = `namespaces/${encodeURIComponent(namespace)}`;
      const [pods, services, disruptionBudgets, autoscalers] = await Promise.all([
        api.firstPage(core(namespace, "pods"), { metadataOnly: true }, named),
        api.firstPage<Service, Service>(core(namespace, "services"), {}, whole),
        api.firstPage<PodDisruptionBudget, PodDisruptionBudget>(
          `/apis/policy/v1/${inside}/poddisruptionbudgets`,
          {},
          whole,
        ),
        api.firstPage<HorizontalPodAutoscaler, HorizontalPodAutoscaler>(
          `/apis/autoscaling/v2/${inside}/horizontalpodautoscalers`,
          {},
          whole,
        ),
      ]);
      return { pods, services, disruptionBudgets, autoscalers };
    },

    ...contextReads(api),
    policyKinds: () => servedPolicyKinds(api),
    policies: (namespace, kinds) => policiesFor(api, namespace, kinds),
    policyEndpoints: (namespace, kinds) => policyEndpointsFor(api, namespace, kinds),

    async patch(object, patch) {
      const path = objectPath(object);
      const content = [{ op: "test", path: "/metadata/uid", value: object.uid }, ...patch];
      const contentType = "application/json-patch+json";
      const answer = await api.write("PATCH", path, content, {
        contentType,
        expected: [404, 422],
      });
      if (answer.status < 400) return true;
      // The API server answers 422 both to a failed test and to a change that it rejects. And that a
      // target is gone is not believed of one answer alone: it would end the containment.
      const there = await api.get<ExistingObject>(path);
      if (there?.metadata.uid !== object.uid) return false;
      if (answer.status === 422) throw failureOf({ method: "PATCH", path }, answer);
      throw new TransientError("KubernetesConflict", `PATCH ${path}: 404, and the object is there`);
    },

    async create(object) {
      const path = `${collectionPath(addressOf(object))}${STRICT}`;
      const answer = await api.write("POST", path, object, { expected: [404, 409] });
      if (answer.status === 404) {
        // Both the kind and the namespace were seen: an API server that starts may not know them yet.
        throw new TransientError("KubernetesUnavailable", `POST ${path}: 404 ${messageOf(answer)}`);
      }
      return answer.status === 409 ? null : uidOf(answer.body);
    },

    existing: (object) => api.get<ExistingObject>(objectPath(addressOf(object))),

    async replace(object, existing) {
      const path = `${objectPath(addressOf(object))}${STRICT}`;
      // What others keep in the metadata, finalizers among it, stays.
      const content = { ...object, metadata: { ...existing.metadata, ...object.metadata } };
      const answer = await api.write("PUT", path, content, { expected: [404, 409] });
      return answer.status < 400;
    },

    async delete(object) {
      const preconditions = { uid: object.uid };
      const content = { apiVersion: "v1", kind: "DeleteOptions", preconditions };
      const takes = (answer: ApiAnswer) => answer.status === 404 || isAnother(answer);
      await api.write("DELETE", objectPath(object), content, { takes });
    },

    async evict({ namespace, name, uid }) {
      const content = {
        apiVersion: "policy/v1",
        kind: "Eviction",
        metadata: { namespace, name },
        deleteOptions: { preconditions: { uid } },
      };
      const path = `${core(namespace, "pods", name)}/eviction`;
      const takes = (answer: ApiAnswer) => refusalOf(answer) !== undefined;
      return refusalOf(await api.write("POST", path, content, { takes })) ?? null;
    },

    async identity() {
      const path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
      const { body } = await api.write("POST", path, {
        apiVersion: "authentication.k8s.io/v1",
        kind: "SelfSubjectReview",
      });
      const { status } = body as {
        readonly status: {
          readonly userInfo: { readonly username: string; readonly groups?: readonly string[] };
        };
      };
      const { username, groups = [] } = status.userInfo;
      return { username, groups };
    },

    missing: (permissions, namespace) => missingPermissions(api, permissions, namespace),
  };
}

function apiVersionOf(kind: WorkloadKind): string {
  return kind === "Job" ? "batch/v1" : "apps/v1";
}

function uidOf(body: unknown): string {
  return (body as ExistingObject).metadata.uid ?? "";
}
