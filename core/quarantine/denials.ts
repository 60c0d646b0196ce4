import type { NetworkFacts } from "../cluster/network.ts";
import type { Denial } from "../policies.ts";
import type { ProvenTarget } from "../target/prove.ts";
import { CASE_LABEL, caseLabels } from "./labels.ts";

/*
 * The policies that cut a target off. They are of the case's own and never shared: on the VPC CNI a
 * pod that enters somebody else's quarantine policy opened that one's target again.
 */

/** NetworkPolicy with both types and no rule: nothing in, nothing out. Every CNI knows it. */
export function denyAll(target: ProvenTarget, caseId: string): Denial {
  const pod = target.kind === "pod";
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: {
      name: pod ? `quarantine-${caseId}` : "quarantine-deny-all",
      namespace: target.namespace,
      labels: caseLabels(caseId),
    },
    spec: {
      podSelector: pod ? { matchLabels: { [CASE_LABEL]: caseId } } : {},
      policyTypes: ["Ingress", "Egress"],
    },
  };
}

/**
 * What this CNI decides before any NetworkPolicy, or null when it has no such thing. It overrides
 * every allow policy, whoever wrote it.
 */
export function strongestDenial(
  target: ProvenTarget,
  caseId: string,
  network: NetworkFacts,
): Denial | null {
  const { cni, policyKinds } = network;
  if (cni === "vpc" && policyKinds.includes("ClusterNetworkPolicy")) {
    return clusterDenial(target, caseId, network);
  }
  if (cni === "cilium") return ciliumDenial(target, caseId);
  if (cni === "calico") return calicoDenial(target, caseId);
  return null;
}

/**
 * AWS VPC CNI, tier Admin. Its ingress peers can only be pods, so traffic from anything else is left
 * to the deny-all NetworkPolicy beside it.
 */
function clusterDenial(target: ProvenTarget, caseId: string, { ipFamily }: NetworkFacts): Denial {
  const namespace = { matchLabels: { "kubernetes.io/metadata.name": target.namespace } };
  const subject =
    target.kind === "pod"
      ? {
          pods: {
            namespaceSelector: namespace,
            podSelector: { matchLabels: { [CASE_LABEL]: caseId } },
          },
        }
      : { namespaces: namespace };
  const everywhere = ipFamily === "ipv6" ? "::/0" : "0.0.0.0/0";
  return {
    apiVersion: "networking.k8s.aws/v1alpha1",
    kind: "ClusterNetworkPolicy",
    metadata: { name: `quarantine-${caseId}`, labels: caseLabels(caseId) },
    spec: {
      tier: "Admin",
      priority: 0, // the lowest is decided first
      subject,
      ingress: [{ name: "deny-all-pods", action: "Deny", from: [{ namespaces: {} }] }],
      egress: [{ name: "deny-all", action: "Deny", to: [{ networks: [everywhere] }] }],
    },
  };
}

/** Cilium: a deny rule beats every allow rule of any policy, and flows are cut at once. */
function ciliumDenial(target: ProvenTarget, caseId: string): Denial {
  return {
    apiVersion: "cilium.io/v2",
    kind: "CiliumNetworkPolicy",
    metadata: {
      name: `quarantine-${caseId}`,
      namespace: target.namespace,
      labels: caseLabels(caseId),
    },
    spec: {
      endpointSelector: target.kind === "pod" ? { matchLabels: { [CASE_LABEL]: caseId } } : {},
      ingressDeny: [{ fromEntities: ["all"] }],
      egressDeny: [{ toEntities: ["all"] }],
    },
  };
}

/** Calico keeps policies of the tier `default` under names that begin with it. */
function calicoDenial(target: ProvenTarget, caseId: string): Denial {
  const inNamespace = `projectcalico.org/namespace == '${target.namespace}'`;
  return {
    apiVersion: "crd.projectcalico.org/v1",
    kind: "GlobalNetworkPolicy",
    metadata: { name: `default.quarantine-${caseId}`, labels: caseLabels(caseId) },
    spec: {
      tier: "default",
      order: 0, // Kubernetes' own policies are decided at 1000
      selector:
        target.kind === "pod" ? `${inNamespace} && ${CASE_LABEL} == '${caseId}'` : inNamespace,
      types: ["Ingress", "Egress"],
      ingress: [{ action: "Deny" }],
      egress: [{ action: "Deny" }],
    },
  };
}
