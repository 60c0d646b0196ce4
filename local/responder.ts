/** A way into a cluster with no more rights than kubernetes/rbac.yaml gives. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CoreV1Api, type KubeConfig, type KubernetesObject } from "@kubernetes/client-node";
import type { ClusterAccess } from "../core/cluster/authenticate.ts";
import { applyManifests, readManifests } from "./manifests.ts";
import { projectRoot } from "./project.ts";

const namespace = "default";
const name = "responder";

/**
 * The cluster, and the token of a service account that is bound to the product's roles. On EKS an
 * access entry puts a function's role into the groups of these; a service account cannot be in one.
 */
export async function responderAccess(
  kubernetes: KubeConfig,
): Promise<{ readonly access: ClusterAccess; readonly token: string }> {
  const rights = await readManifests(join(projectRoot, "kubernetes", "rbac.yaml"));
  const roles = rights.filter(({ kind }) => kind === "ClusterRole");
  await applyManifests(kubernetes, [
    ...rights,
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } },
    ...roles.map(({ metadata }) => bindingTo(metadata?.name ?? "")),
  ]);
  const { status } = await kubernetes.makeApiClient(CoreV1Api).createNamespacedServiceAccountToken({
    ...{ namespace, name },
    body: { spec: { audiences: [], expirationSeconds: 3600 } },
  });
  const cluster = kubernetes.getCurrentCluster();
  if (!status || !cluster?.caFile) throw new Error("no token, or no certificate authority");
  const access: ClusterAccess = {
    name: cluster.name,
    endpoint: cluster.server,
    certificateAuthority: await readFile(cluster.caFile, "base64"),
    ipFamily: "ipv4",
  };
  return { access, token: status.token };
}

function bindingTo(role: string): KubernetesObject {
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name: `${name}-${role}` },
    ...{
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
      subjects: [{ kind: "ServiceAccount", namespace, name }],
    },
  };
}
