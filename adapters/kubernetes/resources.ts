/** Where the API server keeps a kind: `deployments` under `/apis/apps/v1`. */
const PLURALS: Readonly<Record<string, string>> = {
  Pod: "pods",
  Node: "nodes",
  Deployment: "deployments",
  ReplicaSet: "replicasets",
  StatefulSet: "statefulsets",
  DaemonSet: "daemonsets",
  Job: "jobs",
  NetworkPolicy: "networkpolicies",
  ApplicationNetworkPolicy: "applicationnetworkpolicies",
  ClusterNetworkPolicy: "clusternetworkpolicies",
  CiliumNetworkPolicy: "ciliumnetworkpolicies",
  GlobalNetworkPolicy: "globalnetworkpolicies",
};

/** What an object is addressed by. `namespace` is null for cluster-scoped kinds. */
export interface Address {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string | null;
  readonly name: string;
}

/** `/apis/apps/v1/namespaces/payments/deployments`, the collection that the object lies in. */
export function collectionPath({ apiVersion, kind, namespace }: Omit<Address, "name">): string {
  const plural = PLURALS[kind];
  if (plural === undefined) throw new Error(`no path is known for the kind ${kind}`);
  const api = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = namespace === null ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${api}${scope}/${plural}`;
}

export function objectPath(address: Address): string {
  return `${collectionPath(address)}/${encodeURIComponent(address.name)}`;
}
