import type { LabelSelector, ObjectMeta } from "./kubernetes.ts";

/*
 * The kinds of policy that decide on a pod's traffic, as the API server sends them, reduced to the
 * fields that decide something here. A field that is not listed is not thereby harmless: who
 * evaluates a policy says so of fields that it does not know.
 */

/** `networking.k8s.io/v1`. Allows only; what several policies allow adds up. */
export interface NetworkPolicy {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
  readonly spec: NetworkPolicySpec;
}

export interface NetworkPolicySpec {
  readonly podSelector?: LabelSelector;
  /** Left out: Ingress, and Egress too when there is an `egress` section. */
  readonly policyTypes?: readonly string[];
  readonly ingress?: readonly IngressRule[];
  readonly egress?: readonly EgressRule[];
}

/** `from` left out or empty: from everywhere. `ports` left out or empty: on every port. */
export interface IngressRule {
  readonly from?: readonly NetworkPolicyPeer[];
  readonly ports?: readonly NetworkPolicyPort[];
}

export interface EgressRule {
  readonly to?: readonly NetworkPolicyPeer[];
  readonly ports?: readonly NetworkPolicyPort[];
}

export interface NetworkPolicyPeer {
  readonly podSelector?: LabelSelector;
  readonly namespaceSelector?: LabelSelector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
  /** Only in AWS's ApplicationNetworkPolicy, and only in egress. */
  readonly domainNames?: readonly string[];
}

export interface NetworkPolicyPort {
  /** Default TCP. */
  readonly protocol?: string;
  /** A number, or the name of a container port of the pod that receives. Left out: every port. */
  readonly port?: number | string;
  readonly endPort?: number;
}

/**
 * `networking.k8s.aws/v1alpha1`, cluster-scoped, AWS VPC CNI 1.21 and later. Tier Admin is decided
 * before NetworkPolicies, Baseline after them; lower priority first; in one policy the first rule
 * that matches decides. `Pass` leaves the tier.
 */
export interface ClusterNetworkPolicy {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly tier: string;
    /** 0 to 1000. */
    readonly priority: number;
    readonly subject: ClusterNetworkPolicyPods;
    readonly ingress?: readonly ClusterNetworkPolicyRule[];
    readonly egress?: readonly ClusterNetworkPolicyRule[];
  };
}

/** Exactly one of the two. */
export interface ClusterNetworkPolicyPods {
  readonly namespaces?: LabelSelector;
  readonly pods?: {
    readonly namespaceSelector: LabelSelector;
    readonly podSelector: LabelSelector;
  };
}

export interface ClusterNetworkPolicyRule {
  readonly name?: string;
  readonly action: string;
  readonly from?: readonly ClusterNetworkPolicyPods[];
  readonly to?: readonly (ClusterNetworkPolicyPods & {
    /** At most 25 CIDRs. */
    readonly networks?: readonly string[];
    readonly domainNames?: readonly string[];
  })[];
  readonly ports?: readonly {
    readonly portNumber?: { readonly protocol: string; readonly port: number };
    readonly portRange?: {
      readonly protocol?: string;
      readonly start: number;
      readonly end: number;
    };
    readonly namedPort?: string;
  }[];
}

/**
 * `cilium.io/v2` CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy. A deny rule beats every
 * allow rule of any policy. Peers are kept as sent: they have many forms.
 */
export interface CiliumNetworkPolicy {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
  /** Both may be there; they add up. */
  readonly spec?: CiliumRule;
  readonly specs?: readonly CiliumRule[];
}

export interface CiliumRule {
  readonly endpointSelector?: LabelSelector;
  readonly nodeSelector?: LabelSelector;
  readonly enableDefaultDeny?: { readonly ingress?: boolean; readonly egress?: boolean };
  readonly ingress?: readonly Readonly<Record<string, unknown>>[];
  readonly ingressDeny?: readonly Readonly<Record<string, unknown>>[];
  readonly egress?: readonly Readonly<Record<string, unknown>>[];
  readonly egressDeny?: readonly Readonly<Record<string, unknown>>[];
}

/**
 * `crd.projectcalico.org/v1` GlobalNetworkPolicy and NetworkPolicy. In a tier the policies are
 * decided by `order`, lowest first, one without an order last; Kubernetes' own NetworkPolicies have
 * order 1000 in the tier `default`. The first rule that matches decides.
 */
export interface CalicoPolicy {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly tier?: string;
    readonly order?: number;
    /** Calico's own selector language. Left out or empty: everything. */
    readonly selector?: string;
    readonly namespaceSelector?: string;
    readonly serviceAccountSelector?: string;
    readonly types?: readonly string[];
    readonly ingress?: readonly CalicoRule[];
    readonly egress?: readonly CalicoRule[];
    readonly doNotTrack?: boolean;
    readonly preDNAT?: boolean;
    readonly applyOnForward?: boolean;
  };
}

export interface CalicoRule {
  /** Allow, Deny, Log or Pass. */
  readonly action: string;
  readonly [field: string]: unknown;
}

/** A policy of our own, as it is created to cut a target off. */
export type Denial =
  | Own<"networking.k8s.io/v1", "NetworkPolicy", NetworkPolicySpec>
  | Own<"networking.k8s.aws/v1alpha1", "ClusterNetworkPolicy", ClusterNetworkPolicy["spec"]>
  | Own<"cilium.io/v2", "CiliumNetworkPolicy", CiliumRule>
  | Own<"crd.projectcalico.org/v1", "GlobalNetworkPolicy", CalicoPolicy["spec"]>;

interface Own<ApiVersion extends string, Kind extends string, Spec> {
  readonly apiVersion: ApiVersion;
  readonly kind: Kind;
  readonly metadata: ObjectMeta;
  readonly spec: Spec;
}

/** Every policy that was read, by kind. A kind that the cluster does not know is an empty list. */
export interface PolicySet {
  readonly networkPolicies: readonly NetworkPolicy[];
  /** AWS `networking.k8s.aws/v1alpha1`: a NetworkPolicy whose egress peers may be domain names. */
  readonly applicationNetworkPolicies: readonly NetworkPolicy[];
  readonly clusterNetworkPolicies: readonly ClusterNetworkPolicy[];
  readonly ciliumNetworkPolicies: readonly CiliumNetworkPolicy[];
  readonly calicoPolicies: readonly CalicoPolicy[];
  /**
   * `policy.networking.k8s.io`: Kubernetes' own policies for administrators. Some CNIs decide them
   * before everything else. They are not evaluated, so each counts as one that may allow.
   */
  readonly adminPolicies?: readonly AdminPolicy[];
}

export interface AdminPolicy {
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

/** One policy, as people name it. `namespace` is null for cluster-scoped kinds. */
export interface PolicyName {
  readonly kind: string;
  readonly namespace: string | null;
  readonly name: string;
}

/** The kinds of policy that are looked for, and those that say what became of them. */
export const POLICY_KINDS = {
  NetworkPolicy: "networkpolicies.networking.k8s.io",
  ApplicationNetworkPolicy: "applicationnetworkpolicies.networking.k8s.aws",
  ClusterNetworkPolicy: "clusternetworkpolicies.networking.k8s.aws",
  PolicyEndpoint: "policyendpoints.networking.k8s.aws",
  ClusterPolicyEndpoint: "clusterpolicyendpoints.networking.k8s.aws",
  CiliumNetworkPolicy: "ciliumnetworkpolicies.cilium.io",
  CiliumClusterwideNetworkPolicy: "ciliumclusterwidenetworkpolicies.cilium.io",
  CalicoGlobalNetworkPolicy: "globalnetworkpolicies.crd.projectcalico.org",
  CalicoNetworkPolicy: "networkpolicies.crd.projectcalico.org",
  AdminNetworkPolicy: "adminnetworkpolicies.policy.networking.k8s.io",
  BaselineAdminNetworkPolicy: "baselineadminnetworkpolicies.policy.networking.k8s.io",
  KubernetesClusterNetworkPolicy: "clusternetworkpolicies.policy.networking.k8s.io",
} as const;
export type PolicyKind = keyof typeof POLICY_KINDS;
