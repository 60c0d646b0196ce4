import { TransientError } from "../../core/errors.ts";
import type { PolicyEndpoint } from "../../core/kubernetes.ts";
import {
  type AdminPolicy,
  type CalicoPolicy,
  type CiliumNetworkPolicy,
  type ClusterNetworkPolicy,
  type NetworkPolicy,
  POLICY_KINDS,
  type PolicyKind,
  type PolicySet,
} from "../../core/policies.ts";
import type { ApiClient } from "./client.ts";

/** All groups and their resources in one answer; API servers since 1.27 give it. */
const AGGREGATED_DISCOVERY =
  "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

interface Discovery {
  readonly items?: readonly {
    readonly metadata?: { readonly name?: string };
    readonly versions?: readonly {
      readonly resources?: readonly { readonly resource: string }[];
    }[];
  }[];
}

/** Which kinds of policy the API server serves. */
export async function servedPolicyKinds(api: ApiClient): Promise<readonly PolicyKind[]> {
  const discovery = await api.get<Discovery>("/apis", AGGREGATED_DISCOVERY);
  // Believed, it would hide every policy.
  if (!discovery) throw new TransientError("KubernetesUnavailable", "GET /apis: 404");
  const served = new Set(
    (discovery.items ?? []).flatMap(({ metadata, versions = [] }) =>
      versions.flatMap(({ resources = [] }) =>
        resources.map(({ resource }) => `${resource}.${metadata?.name ?? ""}`),
      ),
    ),
  );
  return (Object.keys(POLICY_KINDS) as PolicyKind[]).filter((kind) =>
    served.has(POLICY_KINDS[kind]),
  );
}

/** Every policy that can concern pods of one namespace. */
export async function policiesFor(
  api: ApiClient,
  namespace: string,
  kinds: readonly PolicyKind[],
): Promise<PolicySet> {
  const inside = `namespaces/${encodeURIComponent(namespace)}/`;

  /** The items of a list do not say what they are, so it is said here. */
  async function list<T>(wanted: PolicyKind, kind: string, apiVersion: string, scope = inside) {
    if (!kinds.includes(wanted)) return [];
    const plural = POLICY_KINDS[wanted].split(".", 1)[0];
    const items = await api.list<T>(`/apis/${apiVersion}/${scope}${plural}`);
    return items.map((item) => ({ ...item, kind, apiVersion }));
  }

  const aws = "networking.k8s.aws/v1alpha1";
  const calico = "crd.projectcalico.org/v1";
  const admin = "policy.networking.k8s.io";
  const [
    plain,
    application,
    cluster,
    cilium,
    ciliumClusterwide,
    calicoGlobal,
    calicoOwn,
    ...admins
  ] = await Promise.all([
    list<NetworkPolicy>("NetworkPolicy", "NetworkPolicy", "networking.k8s.io/v1"),
    list<NetworkPolicy>("ApplicationNetworkPolicy", "ApplicationNetworkPolicy", aws),
    list<ClusterNetworkPolicy>("ClusterNetworkPolicy", "ClusterNetworkPolicy", aws, ""),
    list<CiliumNetworkPolicy>("CiliumNetworkPolicy", "CiliumNetworkPolicy", "cilium.io/v2"),
    list<CiliumNetworkPolicy>(
      "CiliumClusterwideNetworkPolicy",
      "CiliumClusterwideNetworkPolicy",
      "cilium.io/v2",
      "",
    ),
    list<CalicoPolicy>("CalicoGlobalNetworkPolicy", "GlobalNetworkPolicy", calico, ""),
    list<CalicoPolicy>("CalicoNetworkPolicy", "NetworkPolicy", calico),
    list<AdminPolicy>("AdminNetworkPolicy", "AdminNetworkPolicy", `${admin}/v1alpha1`, ""),
    list<AdminPolicy>(
      "BaselineAdminNetworkPolicy",
      "BaselineAdminNetworkPolicy",
      `${admin}/v1alpha1`,
      "",
    ),
    list<AdminPolicy>(
      "KubernetesClusterNetworkPolicy",
      "ClusterNetworkPolicy",
      `${admin}/v1alpha2`,
      "",
    ),
  ]);
  return {
    networkPolicies: plain,
    applicationNetworkPolicies: application,
    clusterNetworkPolicies: cluster,
    ciliumNetworkPolicies: [...cilium, ...ciliumClusterwide],
    calicoPolicies: [...calicoGlobal, ...calicoOwn],
    adminPolicies: admins.flat(),
  };
}

/**
 * What the VPC CNI's controller resolved: of this namespace's policies, and of cluster-wide ones where it
 * names a pod of the namespace, or no pod at all. Every open case has cluster-wide ones, each with the
 * address of every pod of the cluster: those of others are not held.
 */
export async function policyEndpointsFor(
  api: ApiClient,
  namespace: string,
  kinds: readonly PolicyKind[],
): Promise<readonly PolicyEndpoint[]> {
  const group = "/apis/networking.k8s.aws/v1alpha1";
  const inside = `${group}/namespaces/${encodeURIComponent(namespace)}/policyendpoints`;
  const concerned = (each: PolicyEndpoint) => {
    const pods = each.spec.podSelectorEndpoints ?? [];
    return pods.length === 0 || pods.some((pod) => pod.namespace === namespace) ? each : null;
  };
  const clusterWide = async () => {
    const found: PolicyEndpoint[] = [];
    for await (const page of api.pages(`${group}/clusterpolicyendpoints`, {}, concerned)) {
      found.push(...page.filter((each) => each !== null));
    }
    return found;
  };
  const [own, others] = await Promise.all([
    kinds.includes("PolicyEndpoint") ? api.list<PolicyEndpoint>(inside) : [],
    kinds.includes("ClusterPolicyEndpoint") ? clusterWide() : [],
  ]);
  return [...own, ...others];
}
