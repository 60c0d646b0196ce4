import type { CaseRef } from "../case/case.ts";
import { PermanentError } from "../errors.ts";
import { artefactKey } from "../evidence/keys.ts";
import type { Artefact, EvidenceStore } from "../evidence/store.ts";
import type { Kubernetes, Permission } from "../kubernetes.ts";
import { PLAN_PERMISSIONS } from "../quarantine/plan.ts";

/** Where a cluster's API server is. Not secret: later states take it from here, not from EKS. */
export interface ClusterAccess {
  readonly name: string;
  readonly endpoint: string;
  /** PEM of the cluster's own certificate authority, base64 as EKS gives it. */
  readonly certificateAuthority: string;
}

/** Finds a cluster. Errors: `ClusterNotFound`, `AwsUnavailable`, `AwsThrottled`, `AwsDenied`. */
export interface Clusters {
  describe(name: string): Promise<ClusterAccess>;
}

/**
 * Finds out, before the first write, everything that would make a later state fail: the cluster
 * answers, it knows who we are, our identity may do all that a plan needs, and the evidence store
 * takes what we write.
 *
 * Errors: `PermissionMissing` with every right that is missing.
 */
export async function authenticate(
  input: { readonly case: CaseRef; readonly cluster: string },
  ports: {
    readonly clusters: Clusters;
    readonly connect: (cluster: ClusterAccess) => Kubernetes;
    readonly store: EvidenceStore;
    readonly now: () => Date;
  },
): Promise<{ readonly cluster: ClusterAccess; readonly artefacts: readonly Artefact[] }> {
  const cluster = await ports.clusters.describe(input.cluster);
  const kubernetes = ports.connect(cluster);
  const [identity, rights] = await Promise.all([
    kubernetes.identity(),
    Promise.all(
      PLAN_PERMISSIONS.map(async (permission) => ({
        permission,
        allowed: await kubernetes.allowed(permission),
      })),
    ),
  ]);
  const missing = rights.filter(({ allowed }) => !allowed).map(({ permission }) => permission);
  if (missing.length > 0) {
    throw new PermanentError(
      "PermissionMissing",
      `${identity.username} may not ${missing.map(describe).join(", ")} in cluster ${cluster.name}. ` +
        "Apply kubernetes/rbac.yaml and check the access entry, then redrive this execution.",
    );
  }
  const { artefact } = await ports.store.putOnce(
    artefactKey(input.case.runId, "authentication.json"),
    {
      authenticatedAt: ports.now().toISOString(),
      cluster: { name: cluster.name, endpoint: cluster.endpoint },
      identity,
      permissions: PLAN_PERMISSIONS,
    },
  );
  return { cluster, artefacts: [artefact] };
}

function describe({ verb, group, resource }: Permission): string {
  return `${verb} ${resource}${group === "" ? "" : `.${group}`}`;
}
