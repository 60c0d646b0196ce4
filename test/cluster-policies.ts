import { CustomObjectsApi, type KubeConfig } from "@kubernetes/client-node";

const KIND = { group: "networking.k8s.aws", version: "v1alpha1", plural: "clusternetworkpolicies" };

/**
 * Takes away the ClusterNetworkPolicies that speak of these namespaces. They outlive a namespace, and the
 * controller works each of them out anew whenever any pod changes: a hundred make it late.
 */
export async function deleteClusterPolicies(
  kubernetes: KubeConfig,
  namespaces: ReadonlySet<string>,
): Promise<void> {
  const custom = kubernetes.makeApiClient(CustomObjectsApi);
  const { items } = (await custom.listClusterCustomObject(KIND)) as {
    readonly items: readonly { readonly metadata: { readonly name: string } }[];
  };
  for (const { metadata, ...policy } of items) {
    const [, namespace = ""] =
      /"kubernetes\.io\/metadata\.name":"([^"]+)"/.exec(JSON.stringify(policy)) ?? [];
    if (!namespaces.has(namespace)) continue;
    await custom.deleteClusterCustomObject({ ...KIND, name: metadata.name });
  }
}
