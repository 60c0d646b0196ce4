import type {
  Kubernetes,
  Namespace,
  NetworkPolicy,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
} from "../../core/kubernetes.ts";
import { type ApiRequest, failureOf, type Transport } from "./transport.ts";

/** Owner of the fields that the product applies; others' changes to them are conflicts. */
const FIELD_MANAGER = "eks-containment";
const PAGE_SIZE = 500;

const JSON_PATCH = "application/json-patch+json";
/** JSON is YAML, so the body is sent as JSON under the type that server-side apply asks for. */
const APPLY_PATCH = "application/apply-patch+yaml";

interface Page<T> {
  readonly metadata?: { readonly continue?: string };
  readonly items: readonly T[];
}

/** The cluster behind a transport. Names come from proven targets, and are encoded all the same. */
export function kubernetesApi(transport: Transport): Kubernetes {
  /** The body of a success, null for 404, an error for the rest. */
  async function call<T>(apiRequest: ApiRequest): Promise<T | null> {
    const answer = await transport(apiRequest);
    if (answer.status === 404) return null;
    if (answer.status >= 400) throw failureOf(apiRequest, answer);
    return answer.body as T;
  }

  const get = <T>(path: string) => call<T>({ method: "GET", path });

  async function list<T>(path: string): Promise<readonly T[]> {
    const items: T[] = [];
    let next = "";
    do {
      const from = next === "" ? "" : `&continue=${encodeURIComponent(next)}`;
      const page = await get<Page<T>>(`${path}?limit=${PAGE_SIZE}${from}`);
      items.push(...(page?.items ?? []));
      next = page?.metadata?.continue ?? "";
    } while (next !== "");
    return items;
  }

  async function post<T>(path: string, content: unknown): Promise<T> {
    const apiRequest: ApiRequest = {
      method: "POST",
      path,
      body: { contentType: "application/json", content },
    };
    const answer = await transport(apiRequest);
    if (answer.status >= 400) throw failureOf(apiRequest, answer);
    return answer.body as T;
  }

  const pod = (namespace: string, name: string) =>
    get<Pod>(`${inNamespace("/api/v1", namespace, "pods")}/${encodeURIComponent(name)}`);

  return {
    pod,
    namespace: (name) => get<Namespace>(`/api/v1/namespaces/${encodeURIComponent(name)}`),
    pods: (namespace) => list<Pod>(inNamespace("/api/v1", namespace, "pods")),
    networkPolicies: (namespace) => list<NetworkPolicy>(policiesPath(namespace)),
    node: (name) => get<Node>(`/api/v1/nodes/${encodeURIComponent(name)}`),
    persistentVolumeClaim: (namespace, name) =>
      get<PersistentVolumeClaim>(
        `${inNamespace("/api/v1", namespace, "persistentvolumeclaims")}/${encodeURIComponent(name)}`,
      ),
    persistentVolume: (name) =>
      get<PersistentVolume>(`/api/v1/persistentvolumes/${encodeURIComponent(name)}`),

    async replacePodLabels({ namespace, name, uid }, labels) {
      const apiRequest: ApiRequest = {
        method: "PATCH",
        path: `${inNamespace("/api/v1", namespace, "pods")}/${encodeURIComponent(name)}`,
        body: {
          contentType: JSON_PATCH,
          content: [
            { op: "test", path: "/metadata/uid", value: uid },
            { op: "add", path: "/metadata/labels", value: labels },
          ],
        },
      };
      const answer = await transport(apiRequest);
      if (answer.status === 404) return false;
      if (answer.status < 400) return true;
      // The API server answers 422 both to a failed test and to labels that it rejects.
      if (answer.status === 422 && (await pod(namespace, name))?.metadata.uid !== uid) return false;
      throw failureOf(apiRequest, answer);
    },

    async applyNetworkPolicy(policy) {
      const { name, namespace = "" } = policy.metadata;
      const apiRequest: ApiRequest = {
        method: "PATCH",
        path: `${policiesPath(namespace)}/${encodeURIComponent(name)}?fieldManager=${FIELD_MANAGER}`,
        body: { contentType: APPLY_PATCH, content: policy },
      };
      const answer = await transport(apiRequest);
      if (answer.status >= 400) throw failureOf(apiRequest, answer);
      return answer.body as NetworkPolicy;
    },

    async identity() {
      const review = await post<{
        readonly status: {
          readonly userInfo: { readonly username: string; readonly groups?: readonly string[] };
        };
      }>("/apis/authentication.k8s.io/v1/selfsubjectreviews", {
        apiVersion: "authentication.k8s.io/v1",
        kind: "SelfSubjectReview",
      });
      const { username, groups = [] } = review.status.userInfo;
      return { username, groups };
    },

    async allowed({ verb, group, resource }) {
      const review = await post<{ readonly status: { readonly allowed: boolean } }>(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        {
          apiVersion: "authorization.k8s.io/v1",
          kind: "SelfSubjectAccessReview",
          spec: { resourceAttributes: { verb, group, resource } },
        },
      );
      return review.status.allowed;
    },
  };
}

function inNamespace(api: string, namespace: string, resource: string): string {
  return `${api}/namespaces/${encodeURIComponent(namespace)}/${resource}`;
}

function policiesPath(namespace: string): string {
  return inNamespace("/apis/networking.k8s.io/v1", namespace, "networkpolicies");
}
