import {
  CALICO_AGENT,
  CNI_CONFIGS,
  type Kubernetes,
  SYSTEM_NAMESPACE,
  WORKLOAD_KINDS,
} from "../kubernetes.ts";
import type { ClusterNeeds, WrittenKind } from "../needs.ts";
import { POLICY_KINDS, type PolicyKind } from "../policies.ts";

/*
 * What the operations of the port `Kubernetes` cost, in the words of Kubernetes RBAC. The adapter's
 * test holds each operation to exactly these; kubernetes/rbac.yaml is generated from them.
 */

/** One right. */
export interface Permission {
  readonly verb: "get" | "list" | "create" | "patch" | "update" | "delete";
  /** Empty for the core group. */
  readonly group: string;
  readonly resource: string;
  /** Left out: in every namespace, or of a kind that lies in none. */
  readonly namespace?: string;
  /** Left out: whatever the object's name. */
  readonly name?: string;
}

export type ClusterWrite = "patch" | "create" | "existing" | "replace" | "delete" | "evict";
export type ClusterRead = Exclude<keyof Kubernetes, ClusterWrite>;

type Verb = Permission["verb"];

/** What each read costs, resources written as `networkpolicies.networking.k8s.io`. */
function readRights(): Readonly<Record<ClusterRead, readonly Permission[]>> {
  const { PolicyEndpoint, ClusterPolicyEndpoint, ...policies } = POLICY_KINDS;
  return {
    namespace: may(["get"], "namespaces"),
    pod: may(["get"], "pods"),
    podPages: may(["list"], "pods"),
    podMetadataPages: may(["list"], "pods"),
    node: may(["get"], "nodes"),
    persistentVolumeClaim: may(["get"], "persistentvolumeclaims"),
    persistentVolume: may(["get"], "persistentvolumes"),
    workload: may(["get"], ...WORKLOAD_KINDS.map((kind) => RESOURCE_OF[kind])),
    systemDaemonSets: inSystem(may(["list"], "daemonsets.apps")),
    // By its name and not in its namespace: one that may not be there cannot hold a Role.
    calicoAgent: named(may(["get"], "daemonsets.apps"), CALICO_AGENT.name),
    cniConfig: CNI_CONFIGS.flatMap((name) => named(inSystem(may(["get"], "configmaps")), name)),
    surroundings: may(
      ["list"],
      ...[
        "pods",
        "services",
        "poddisruptionbudgets.policy",
        "horizontalpodautoscalers.autoscaling",
      ],
    ),
    policies: may(["list"], ...Object.values(policies)),
    policyEndpoints: may(["list"], PolicyEndpoint, ClusterPolicyEndpoint),
    events: may(["list"], "events"),
    services: may(["list"], "services"),
    endpointSlices: may(["list"], "endpointslices.discovery.k8s.io"),
    serviceAccount: may(["get"], "serviceaccounts"),
    serviceAccountPages: may(["list"], "serviceaccounts"),
    bindingPages: may(
      ["list"],
      "rolebindings.rbac.authorization.k8s.io",
      "clusterrolebindings.rbac.authorization.k8s.io",
    ),
    role: may(["get"], "roles.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io"),
    podsOnNode: may(["list"], "pods"),
    podsOfServiceAccount: may(["list"], "pods"),
    containerLog: may(["get"], "pods/log"),
    // Discovery, and what anybody may ask about himself: the API server grants these to everybody
    // whom it knows (ClusterRoles system:discovery and system:basic-user).
    policyKinds: [],
    identity: [],
    missing: [],
  };
}

const RESOURCE_OF: Readonly<Record<WrittenKind, string>> = {
  Pod: "pods",
  Node: "nodes",
  Deployment: "deployments.apps",
  ReplicaSet: "replicasets.apps",
  StatefulSet: "statefulsets.apps",
  DaemonSet: "daemonsets.apps",
  Job: "jobs.batch",
  NetworkPolicy: POLICY_KINDS.NetworkPolicy,
  ApplicationNetworkPolicy: POLICY_KINDS.ApplicationNetworkPolicy,
  ClusterNetworkPolicy: POLICY_KINDS.ClusterNetworkPolicy,
  CiliumNetworkPolicy: POLICY_KINDS.CiliumNetworkPolicy,
  GlobalNetworkPolicy: POLICY_KINDS.CalicoGlobalNetworkPolicy,
};

/** The rights that a state needs, under the words of its declaration that cost them. */
export function rightsByNeed(needs: ClusterNeeds): ReadonlyMap<string, readonly Permission[]> {
  const rightsOfRead = readRights();
  const { reads, optional = [], patches = [], makes = [], deletes = [], evicts = false } = needs;
  const write = (verbs: readonly Verb[], kinds: readonly WrittenKind[]) =>
    may(verbs, ...kinds.map((kind) => RESOURCE_OF[kind]));
  return new Map([
    ...[...reads, ...optional].map((read): [string, readonly Permission[]] => [
      read,
      rightsOfRead[read],
    ]),
    // A refused patch is told from a successor of the same name by looking.
    ["patches", write(["get", "patch"], patches)],
    // What bears the name already is looked at, and put right where it is the case's own.
    ["makes", write(["get", "create", "update"], makes)],
    ["deletes", write(["get", "delete"], deletes)],
    ["evicts", evicts ? may(["create"], "pods/eviction") : []],
  ]);
}

/** All rights that a state needs, each once. */
export function rightsOf(needs: ClusterNeeds): readonly Permission[] {
  return distinct([...rightsByNeed(needs).values()].flat());
}

/**
 * The rights without which a state fails on a cluster that serves these kinds of policy: of a kind
 * that is not served nothing is asked, and what is optional may be refused.
 */
export function indispensableRights(
  { optional: _, ...needs }: ClusterNeeds,
  served: readonly PolicyKind[],
): readonly Permission[] {
  const unserved = new Set<string>(Object.values(POLICY_KINDS));
  for (const kind of served) unserved.delete(POLICY_KINDS[kind]);
  return rightsOf(needs).filter(({ group, resource }) => !unserved.has(`${resource}.${group}`));
}

export function distinct(permissions: readonly Permission[]): readonly Permission[] {
  return [...new Map(permissions.map((each) => [describePermission(each), each])).values()];
}

/** `get configmaps in kube-system named cilium-config`, as people read it. */
export function describePermission(permission: Permission): string {
  const { verb, group, resource, namespace, name } = permission;
  return [
    `${verb} ${resource}${group && `.${group}`}`,
    ...(namespace === undefined ? [] : [`in ${namespace}`]),
    ...(name === undefined ? [] : [`named ${name}`]),
  ].join(" ");
}

function may(verbs: readonly Verb[], ...resources: readonly string[]): readonly Permission[] {
  return resources.flatMap((full) => {
    const [resource = "", ...group] = full.split(".");
    return verbs.map((verb) => ({ verb, group: group.join("."), resource }));
  });
}

function inSystem(permissions: readonly Permission[]): readonly Permission[] {
  return permissions.map((each) => ({ ...each, namespace: SYSTEM_NAMESPACE }));
}

function named(permissions: readonly Permission[], name: string): readonly Permission[] {
  return permissions.map((each) => ({ ...each, name }));
}
