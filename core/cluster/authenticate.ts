import type { CaseRef } from "../case/case.ts";
import { PermanentError } from "../errors.ts";
import { artefactKey } from "../evidence/keys.ts";
import type { Authentication } from "../evidence/schemas/seen.ts";
import type { Artefact } from "../evidence/store.ts";
import type { ClusterFor, Needs, StoreFor } from "../needs.ts";
import { APPLY_POLICY_NEEDS } from "../quarantine/apply-policy.ts";
import { COMPLETE_POLICY_NEEDS } from "../quarantine/complete-policy.ts";
import type { Target } from "../target/target.ts";
import { type NetworkFacts, networkFacts, observeNetwork } from "./network.ts";
import { describePermission, distinct, indispensableRights, type Permission } from "./rights.ts";

/**
 * It asks the API server what it may do itself: of others nobody may ask without a right of its own.
 * So it holds the rights of the states that change the cluster, and finds out what is missing before
 * the first write. What only one of these states lacks and another one has is not seen here; that
 * state then fails, and a redrive resumes at it.
 */
export const AUTHENTICATE_NEEDS = {
  kubernetes: {
    reads: ["identity", "missing", "policyKinds"],
    optional: ["systemDaemonSets", "calicoAgent", "cniConfig"],
  },
  evidence: { writes: ["runs/*/authentication.json"] },
  clusters: ["describe"],
  checks: [APPLY_POLICY_NEEDS, COMPLETE_POLICY_NEEDS],
} as const satisfies Needs;

/** What plans of this cluster can come to need: nothing of kinds of policy that it does not serve. */
export function planPermissions({ policyKinds }: NetworkFacts): readonly Permission[] {
  return distinct(
    AUTHENTICATE_NEEDS.checks.flatMap(({ kubernetes }) =>
      indispensableRights(kubernetes, policyKinds),
    ),
  );
}

/** Where a cluster's API server is. Not secret: later states take it from here, not from EKS. */
export interface ClusterAccess {
  readonly name: string;
  readonly endpoint: string;
  /** PEM of the cluster's own certificate authority, base64 as EKS gives it. */
  readonly certificateAuthority: string;
  readonly ipFamily: "ipv4" | "ipv6";
}

/** Finds a cluster. Errors: `ClusterNotFound`, `AwsUnavailable`, `AwsThrottled`, `AwsDenied`. */
export interface Clusters {
  describe(name: string): Promise<ClusterAccess>;
}

/**
 * Finds out, before the first write, everything that would make a later state fail: the cluster
 * answers, it knows who we are, what enforces policies in it, our identity may do all that a plan
 * needs there, and the evidence store takes what we write.
 *
 * Errors: `PermissionMissing` with every right that is missing.
 */
export async function authenticate(
  input: { readonly case: CaseRef; readonly target: Target },
  ports: {
    readonly clusters: Clusters;
    readonly connect: (cluster: ClusterAccess) => ClusterFor<typeof AUTHENTICATE_NEEDS>;
    readonly store: StoreFor<typeof AUTHENTICATE_NEEDS>;
    readonly now: () => Date;
  },
): Promise<{
  readonly cluster: ClusterAccess;
  readonly network: NetworkFacts;
  readonly artefacts: readonly Artefact[];
}> {
  const { target } = input;
  const cluster = await ports.clusters.describe(target.cluster);
  const kubernetes = ports.connect(cluster);
  const [identity, observed] = await Promise.all([
    kubernetes.identity(),
    observeNetwork(kubernetes, cluster.ipFamily),
  ]);
  const network = networkFacts(observed);
  const needed = planPermissions(network);
  const missing = await kubernetes.missing(needed, target.namespace);
  if (missing.length > 0) {
    throw new PermanentError(
      "PermissionMissing",
      `${identity.username} may not ${missing.map(describePermission).join(", ")} in cluster ${cluster.name}. ` +
        "Apply kubernetes/rbac.yaml and check the access entry, then redrive this execution.",
    );
  }
  const { artefact } = await ports.store.putOnce<Authentication>(
    artefactKey(input.case.runId, "authentication.json"),
    {
      authenticatedAt: ports.now().toISOString(),
      cluster: { name: cluster.name, endpoint: cluster.endpoint },
      identity,
      permissions: needed,
      network,
    },
  );
  return { cluster, network, artefacts: [artefact] };
}
