import type { PodIdentityAssociation } from "../../core/credentials/blast-radius.ts";
import type { Identities } from "../../core/credentials/preview-credentials.ts";

export const PROFILE = "arn:aws:iam::111122223333:instance-profile/eks-nodes";

/** EKS and EC2 without an AWS, for unit tests. */
export function memoryIdentities(
  associations: readonly PodIdentityAssociation[] = [],
  instanceIds: readonly string[] = ["i-0123456789abcdef0", "i-0fedcba9876543210"],
): Identities {
  return {
    podIdentityAssociations: async () => associations,
    instanceProfile: async (instanceId) =>
      instanceIds.includes(instanceId) ? { arn: PROFILE, instanceIds } : null,
  };
}
