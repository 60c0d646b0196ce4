import type { CaseRef } from "../case/case.ts";
import { PermanentError } from "../errors.ts";
import { artefactKey } from "../evidence/keys.ts";
import type { Artefact, EvidenceStore } from "../evidence/store.ts";
import type { Kubernetes, Permission } from "../kubernetes.ts";
import { planPermissions } from "../quarantine/permissions.ts";
import type { Target } from "../target/target.ts";
import { type NetworkFacts, networkFacts, observeNetwork } from "./network.ts";

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
    readonly connect: (cluster: ClusterAccess) => Kubernetes;
    readonly store: EvidenceStore;
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
      permissions: needed,
      network,
    },
  );
  return { cluster, network, artefacts: [artefact] };
}

function describe({ verb, group, resource }: Permission): string {
  return `${verb} ${resource}${group === "" ? "" : `.${group}`}`;
}
