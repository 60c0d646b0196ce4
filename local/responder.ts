/** Ways into a cluster with no more rights than kubernetes/rbac.yaml gives. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  CoreV1Api,
  type KubeConfig,
  type KubernetesObject,
  type V1ClusterRoleBinding,
  type V1RoleBinding,
} from "@kubernetes/client-node";
import type { ClusterAccess } from "../core/cluster/authenticate.ts";
import { fileOf } from "../functions/contract.ts";
import type { ClusterState } from "../functions/needs.ts";
import { CLUSTER_STATES, groupsOf, type KubernetesGroup } from "../kubernetes/groups.ts";
import { applyManifests, readManifests } from "./manifests.ts";
import { projectRoot } from "./project.ts";

const namespace = "default";

export interface ResponderAccess {
  readonly access: ClusterAccess;
  /** Each may do what the function of its state may do. */
  readonly tokens: Readonly<Record<ClusterState, string>>;
}

/**
 * The cluster, and for each state the token of a service account that is bound to the roles of the
 * state's groups. On EKS an access entry puts a function's role into these groups; a service account
 * cannot be in one.
 */
export async function responderAccess(kubernetes: KubeConfig): Promise<ResponderAccess> {
  const rights = await readManifests(join(projectRoot, "kubernetes", "rbac.yaml"));
  await applyManifests(kubernetes, [
    ...rights,
    ...CLUSTER_STATES.map(serviceAccount),
    ...rights.filter(isBinding).map(alsoTo),
  ]);
  const core = kubernetes.makeApiClient(CoreV1Api);
  const tokens = await Promise.all(
    CLUSTER_STATES.map(async (state) => [state, await tokenOf(state, core)] as const),
  );
  const cluster = kubernetes.getCurrentCluster();
  if (!cluster?.caFile) throw new Error("the cluster has no certificate authority");
  const access: ClusterAccess = {
    name: cluster.name,
    endpoint: cluster.server,
    certificateAuthority: await readFile(cluster.caFile, "base64"),
    ipFamily: "ipv4",
  };
  return { access, tokens: Object.fromEntries(tokens) as ResponderAccess["tokens"] };
}

function serviceAccount(state: ClusterState): KubernetesObject {
  return { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: fileOf(state), namespace } };
}

async function tokenOf(state: ClusterState, core: CoreV1Api): Promise<string> {
  const { status } = await core.createNamespacedServiceAccountToken({
    ...{ namespace, name: fileOf(state) },
    body: { spec: { audiences: [], expirationSeconds: 3600 } },
  });
  if (!status) throw new Error(`no token for ${state}`);
  return status.token;
}

type Binding = V1ClusterRoleBinding | V1RoleBinding;

function isBinding(object: KubernetesObject): object is Binding {
  return object.kind === "ClusterRoleBinding" || object.kind === "RoleBinding";
}

/** The same role, to the service accounts of the states whose functions are in the bound group. */
function alsoTo({ metadata, subjects = [], ...binding }: Binding): Binding {
  const groups = subjects.map(({ name }) => name as KubernetesGroup);
  const states = CLUSTER_STATES.filter((state) =>
    groupsOf(state).some((group) => groups.includes(group)),
  );
  return {
    ...binding,
    metadata: { ...metadata, name: `${metadata?.name}-accounts` },
    subjects: states.map((state) => ({ kind: "ServiceAccount", namespace, name: fileOf(state) })),
  };
}
