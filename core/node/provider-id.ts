/** Where a node's `spec.providerID` leads. */
export type NodeMachine =
  | { readonly kind: "instance"; readonly instanceId: string }
  | { readonly kind: "none"; readonly reason: string };

/**
 * Reads every form that EKS nodes carry: `aws:///us-east-1a/i-0abc`, `aws:////i-0abc` and bare
 * `i-0abc` (cloud-provider-aws). Fargate's ids name no instance and no EBS volume.
 */
export function machineOf(providerId: string | undefined): NodeMachine {
  if (!providerId) return { kind: "none", reason: "the node has no providerID" };
  const last = providerId.slice(providerId.lastIndexOf("/") + 1);
  if (last.startsWith("fargate-")) {
    return { kind: "none", reason: "Fargate: there is no instance and no EBS volume" };
  }
  if (/^i-[0-9a-f]{8,17}$/.test(last)) return { kind: "instance", instanceId: last };
  return { kind: "none", reason: `providerID ${providerId} names no EC2 instance` };
}
