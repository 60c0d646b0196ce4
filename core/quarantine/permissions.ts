import type { NetworkFacts } from "../cluster/network.ts";
import type { Permission } from "../kubernetes.ts";
import { POLICY_KINDS } from "../policies.ts";

/*
 * What a quarantine needs from the cluster. kubernetes/rbac.yaml grants exactly this, and a test
 * holds it to it; Authenticate asks the API server for it before the first write.
 */

const rights = (
  verbs: readonly Permission["verb"][],
  group: string,
  ...resources: readonly string[]
): readonly Permission[] =>
  resources.flatMap((resource) => verbs.map((verb) => ({ verb, group, resource })));

/** Of whoever looks: before, at planning and after. */
export const READ_PERMISSIONS: readonly Permission[] = [
  ...rights(["get", "list"], "", "pods"),
  ...rights(["get"], "", "namespaces"),
  ...rights(["get"], "apps", "deployments", "replicasets", "statefulsets", "daemonsets"),
  ...rights(["get"], "batch", "jobs"),
  ...Object.values(POLICY_KINDS).flatMap((name) => rights(["list"], ...split(name))),
];

/** For what a plan tells of a pod's surroundings; without them it says that it could not look. */
export const SURROUNDINGS_PERMISSIONS: readonly Permission[] = [
  ...rights(["list"], "", "services"),
  ...rights(["list"], "policy", "poddisruptionbudgets"),
  ...rights(["list"], "autoscaling", "horizontalpodautoscalers"),
];

/** Of whoever reads what the CNI is, in the namespaces of its agents. */
export const NETWORK_PERMISSIONS: readonly Permission[] = [
  ...rights(["list"], "apps", "daemonsets"),
  ...rights(["get"], "", "configmaps"),
];

/** The kinds of the policies that a case may put into the cluster. */
const DENIALS = {
  NetworkPolicy: POLICY_KINDS.NetworkPolicy,
  ClusterNetworkPolicy: POLICY_KINDS.ClusterNetworkPolicy,
  CiliumNetworkPolicy: POLICY_KINDS.CiliumNetworkPolicy,
  CalicoGlobalNetworkPolicy: POLICY_KINDS.CalicoGlobalNetworkPolicy,
} as const;

/** Of whoever changes the cluster. */
export const WRITE_PERMISSIONS: readonly Permission[] = [
  ...rights(["patch"], "", "pods"),
  ...rights(["patch"], "apps", "deployments", "replicasets", "statefulsets", "daemonsets"),
  ...rights(["patch"], "batch", "jobs"),
  ...rights(["patch"], ...split(POLICY_KINDS.NetworkPolicy)),
  ...rights(["get", "patch"], ...split(POLICY_KINDS.ApplicationNetworkPolicy)),
  ...Object.values(DENIALS).flatMap((name) =>
    rights(["get", "create", "update", "delete"], ...split(name)),
  ),
];

/** What plans of this cluster can come to need: nothing of kinds that it does not serve. */
export function planPermissions({ policyKinds }: NetworkFacts): readonly Permission[] {
  const served = new Set<string>(policyKinds.map((kind) => POLICY_KINDS[kind]));
  const policies = new Set<string>(Object.values(POLICY_KINDS));
  return [...READ_PERMISSIONS, ...WRITE_PERMISSIONS].filter(({ group, resource }) => {
    const name = `${resource}.${group}`;
    return !policies.has(name) || served.has(name);
  });
}

/** `networkpolicies.networking.k8s.io` as group and resource. */
function split(name: string): readonly [group: string, resource: string] {
  const dot = name.indexOf(".");
  return [name.slice(dot + 1), name.slice(0, dot)];
}
