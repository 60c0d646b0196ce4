/**
 * Kubernetes objects as the API server sends them, reduced to the fields that decide something
 * here, and the port through which the product reads and changes a cluster. The generated classes
 * of `@kubernetes/client-node` are not the wire: they rename `from` and turn times into dates.
 */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly labels?: Labels;
  readonly annotations?: Labels;
  /** RFC 3339 in UTC, whole seconds. */
  readonly creationTimestamp?: string;
  readonly ownerReferences?: readonly { kind: string; name: string; uid: string }[];
}

export type Labels = Readonly<Record<string, string>>;

export interface Pod {
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly nodeName?: string;
    readonly hostNetwork?: boolean;
    readonly volumes?: readonly {
      readonly name: string;
      readonly persistentVolumeClaim?: { readonly claimName: string };
    }[];
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly ephemeralContainers?: readonly Container[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly ephemeralContainerStatuses?: readonly ContainerStatus[];
  };
}

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
}

export interface ContainerStatus {
  readonly name: string;
  /** `containerd://` and 64 hexadecimal digits. */
  readonly containerID?: string;
  readonly lastState?: { readonly terminated?: { readonly containerID?: string } };
}

export interface LabelSelector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

export interface NetworkPolicy {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
  readonly spec: NetworkPolicySpec;
}

export interface NetworkPolicySpec {
  readonly podSelector: LabelSelector;
  readonly policyTypes?: readonly string[];
  readonly ingress?: readonly unknown[];
  readonly egress?: readonly unknown[];
}

export interface Namespace {
  readonly metadata: ObjectMeta;
}

export interface Node {
  readonly metadata: ObjectMeta;
  readonly spec: { readonly providerID?: string };
}

export interface PersistentVolumeClaim {
  readonly metadata: ObjectMeta;
  readonly spec: { readonly volumeName?: string };
}

export interface PersistentVolume {
  readonly metadata: ObjectMeta;
  readonly spec: { readonly csi?: { readonly driver: string; readonly volumeHandle: string } };
}

/** One right that the product needs, in the words of Kubernetes RBAC. */
export interface Permission {
  readonly verb: "get" | "list" | "create" | "patch";
  readonly group: "" | "networking.k8s.io";
  readonly resource: string;
}

/**
 * What the product asks of a cluster. Reads of an object that is not there return null.
 *
 * Errors: `KubernetesUnavailable`, `KubernetesThrottled`, `KubernetesUnauthorized`,
 * `KubernetesConflict` (transient); `KubernetesForbidden`, `KubernetesRejected` (permanent).
 */
export interface Kubernetes {
  namespace(name: string): Promise<Namespace | null>;
  pod(namespace: string, name: string): Promise<Pod | null>;
  pods(namespace: string): Promise<readonly Pod[]>;
  networkPolicies(namespace: string): Promise<readonly NetworkPolicy[]>;
  node(name: string): Promise<Node | null>;
  persistentVolumeClaim(namespace: string, name: string): Promise<PersistentVolumeClaim | null>;
  persistentVolume(name: string): Promise<PersistentVolume | null>;
  /** Replaces all labels of the pod with this UID. False when that pod is no longer there. */
  replacePodLabels(pod: PodRef, labels: Labels): Promise<boolean>;
  /** Server-side apply with our field manager; a field owned by another is `KubernetesConflict`. */
  applyNetworkPolicy(policy: NetworkPolicy): Promise<NetworkPolicy>;
  identity(): Promise<{ readonly username: string; readonly groups: readonly string[] }>;
  /** The API server's own answer to "may this identity do that in every namespace?" */
  allowed(permission: Permission): Promise<boolean>;
}

/** One pod and no other that may take its name later. */
export interface PodRef {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}
