import type { Permission } from "./cluster/rights.ts";
import type { ContextReads } from "./kubernetes-context.ts";
import type { Denial, PolicyKind, PolicySet } from "./policies.ts";

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
  /** Set while the object is being deleted and something still holds on to it. */
  readonly deletionTimestamp?: string;
  readonly ownerReferences?: readonly {
    readonly kind: string;
    readonly name: string;
    readonly uid: string;
    readonly controller?: boolean;
  }[];
}

export type Labels = Readonly<Record<string, string>>;

export interface Pod {
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly nodeName?: string;
    readonly hostNetwork?: boolean;
    readonly serviceAccountName?: string;
    readonly os?: { readonly name: string };
    readonly nodeSelector?: Labels;
    readonly volumes?: readonly {
      readonly name: string;
      readonly persistentVolumeClaim?: { readonly claimName: string };
      readonly projected?: {
        readonly sources?: readonly { readonly serviceAccountToken?: ProjectedToken }[];
      };
      /** A claim of the pod's own, named after the pod and this volume. */
      readonly ephemeral?: unknown;
      readonly awsElasticBlockStore?: InTreeVolume;
    }[];
    readonly automountServiceAccountToken?: boolean;
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly ephemeralContainers?: readonly Container[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    /** One address per family; the first is `podIP`. */
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly ephemeralContainerStatuses?: readonly ContainerStatus[];
  };
}

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly ports?: readonly ContainerPort[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
}

export interface ContainerPort {
  readonly name?: string;
  readonly containerPort: number;
  /** Default TCP. */
  readonly protocol?: string;
}

export interface ContainerStatus {
  readonly name: string;
  /** `containerd://` and 64 hexadecimal digits. */
  readonly containerID?: string;
  readonly restartCount?: number;
  readonly lastState?: { readonly terminated?: { readonly containerID?: string } };
}

/** A token that the kubelet writes into a volume and renews. */
export interface ProjectedToken {
  /** Left out: the API server. */
  readonly audience?: string;
  /** Seconds. Default 3600. */
  readonly expirationSeconds?: number;
  readonly path: string;
}

export interface LabelSelector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

export interface Namespace {
  readonly metadata: ObjectMeta;
}

export interface Node {
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly providerID?: string;
    /** True on a cordoned node: the scheduler puts no further pod on it. */
    readonly unschedulable?: boolean;
  };
  readonly status?: { readonly conditions?: readonly unknown[]; readonly nodeInfo?: unknown };
}

/** The controllers of pods whose behaviour decides what becomes of a quarantined pod. */
export const WORKLOAD_KINDS = [
  "Deployment",
  "ReplicaSet",
  "StatefulSet",
  "DaemonSet",
  "Job",
] as const;
export type WorkloadKind = (typeof WORKLOAD_KINDS)[number];

export interface Workload {
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly replicas?: number;
    readonly paused?: boolean;
    readonly selector?: LabelSelector;
    readonly template?: {
      readonly metadata?: { readonly annotations?: Labels; readonly labels?: Labels };
    };
  };
}

export interface DaemonSet {
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly nodeSelector?: Labels;
        readonly affinity?: {
          readonly nodeAffinity?: {
            readonly requiredDuringSchedulingIgnoredDuringExecution?: {
              readonly nodeSelectorTerms: readonly Pick<LabelSelector, "matchExpressions">[];
            };
          };
        };
        readonly containers: readonly {
          readonly name: string;
          readonly image?: string;
          readonly args?: readonly string[];
          /** A value that is left out comes from somewhere else. */
          readonly env?: readonly { readonly name: string; readonly value?: string }[];
        }[];
      };
    };
  };
  readonly status?: { readonly numberReady?: number };
}

/** Where CNIs run their agents and keep their settings; it is there in every cluster. */
export const SYSTEM_NAMESPACE = "kube-system";
/** Calico's operator puts its agent elsewhere, into a namespace that only its clusters have. */
export const CALICO_AGENT = { namespace: "calico-system", name: "calico-node" } as const;
/** ConfigMaps of kube-system that say whether a CNI enforces. */
export const CNI_CONFIGS = ["amazon-vpc-cni", "cilium-config"] as const;
export type CniConfig = (typeof CNI_CONFIGS)[number];

export interface ConfigMap {
  readonly metadata: ObjectMeta;
  readonly data?: Labels;
}

export interface Service {
  readonly metadata: ObjectMeta;
  /** Left out or empty: the Service's endpoints are managed by somebody else. */
  readonly spec: { readonly selector?: Labels };
}

export interface PodDisruptionBudget {
  readonly metadata: ObjectMeta;
  readonly spec: { readonly selector?: LabelSelector };
}

export interface HorizontalPodAutoscaler {
  readonly metadata: ObjectMeta;
  readonly spec: { readonly scaleTargetRef: { readonly kind: string; readonly name: string } };
}

/** What lies around the target, each kind's first page only: it is told, it decides nothing. */
export interface Surroundings {
  readonly pods: FirstPage<{ readonly metadata: ObjectMeta }>;
  readonly services: FirstPage<Service>;
  readonly disruptionBudgets: FirstPage<PodDisruptionBudget>;
  readonly autoscalers: FirstPage<HorizontalPodAutoscaler>;
}

export interface FirstPage<T> {
  readonly items: readonly T[];
  /** How many more there are. */
  readonly remaining: number;
}

export interface PersistentVolumeClaim {
  readonly metadata: ObjectMeta;
  readonly spec: { readonly volumeName?: string };
}

export interface PersistentVolume {
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly csi?: { readonly driver: string; readonly volumeHandle: string };
    readonly awsElasticBlockStore?: InTreeVolume;
  };
}

/** EBS as it was named before the CSI driver: `vol-…` or `aws://us-east-1a/vol-…`. */
export interface InTreeVolume {
  readonly volumeID: string;
}

/** One object and no other that may take its name later. */
export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  /** Null for cluster-scoped kinds. */
  readonly namespace: string | null;
  readonly name: string;
  readonly uid: string;
}

export interface EvictedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** The object that bears a name already. */
export interface ExistingObject {
  readonly metadata: ObjectMeta;
  readonly spec?: unknown;
}

/** JSON Patch (RFC 6902), as the API server applies it. */
export type JsonPatch = readonly {
  readonly op: "add" | "remove" | "test";
  readonly path: string;
  readonly value?: unknown;
}[];

/**
 * What the product asks of a cluster. Reads of an object that is not there return null. What each
 * operation costs in rights is in `cluster/rights.ts`; each state is given those that it declares.
 *
 * Errors: `KubernetesUnavailable`, `KubernetesThrottled`, `KubernetesUnauthorized`,
 * `KubernetesConflict` (transient); `KubernetesForbidden`, `KubernetesRejected` (permanent).
 */
export interface Kubernetes extends ContextReads {
  namespace(name: string): Promise<Namespace | null>;
  pod(namespace: string, name: string): Promise<Pod | null>;
  /**
   * All pods of a namespace, a page at a time. Of each only what `keep` makes of it is held, so that
   * a large namespace fits into a small function.
   */
  podPages<Kept>(namespace: string, keep: (pod: Pod) => Kept): AsyncIterable<readonly Kept[]>;
  /** The same without spec and status: a fraction of the bytes. */
  podMetadataPages(namespace: string): AsyncIterable<readonly { readonly metadata: ObjectMeta }[]>;
  node(name: string): Promise<Node | null>;
  persistentVolumeClaim(namespace: string, name: string): Promise<PersistentVolumeClaim | null>;
  persistentVolume(name: string): Promise<PersistentVolume | null>;
  workload(kind: WorkloadKind, namespace: string, name: string): Promise<Workload | null>;
  /** DaemonSets of kube-system. */
  systemDaemonSets(): Promise<readonly DaemonSet[]>;
  /** Calico's agent where its operator puts it. */
  calicoAgent(): Promise<DaemonSet | null>;
  cniConfig(name: CniConfig): Promise<ConfigMap | null>;
  surroundings(namespace: string): Promise<Surroundings>;

  /** Which kinds of policy the API server serves: API discovery. */
  policyKinds(): Promise<readonly PolicyKind[]>;
  /** All policies of these kinds that can concern pods of the namespace. */
  policies(namespace: string, kinds: readonly PolicyKind[]): Promise<PolicySet>;
  /** What the AWS VPC CNI's controller made of the policies; empty where `kinds` lacks it. */
  policyEndpoints(
    namespace: string,
    kinds: readonly PolicyKind[],
  ): Promise<readonly PolicyEndpoint[]>;

  /** Patches the object with this UID and no other. False when it is no longer there. */
  patch(object: ObjectRef, patch: JsonPatch): Promise<boolean>;
  /** The new object's UID, or null when the name is taken: nothing was changed then. */
  create(object: Denial): Promise<string | null>;
  /** What bears the name of this object. */
  existing(object: Denial): Promise<ExistingObject | null>;
  /** Puts the object in the place of exactly that one. False when that has changed or is gone. */
  replace(object: Denial, existing: ExistingObject): Promise<boolean>;
  /** Deletes the object with this UID and no other; done when it is not there. */
  delete(object: ObjectRef): Promise<void>;

  /**
   * Asks for the eviction of the pod with this UID and no other. Null when it is on its way or gone;
   * otherwise why it is refused, as by a PodDisruptionBudget.
   */
  evict(pod: EvictedPod): Promise<string | null>;

  identity(): Promise<{ readonly username: string; readonly groups: readonly string[] }>;
  /** Those that the API server says this identity does not have in the namespace. */
  missing(permissions: readonly Permission[], namespace: string): Promise<readonly Permission[]>;
}

/** A PolicyEndpoint or ClusterPolicyEndpoint: a policy as the VPC CNI's agents are told of it. */
export interface PolicyEndpoint {
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly policyRef: { readonly name: string; readonly namespace?: string };
    readonly podSelectorEndpoints?: readonly {
      readonly name: string;
      readonly namespace: string;
      readonly podIP: string;
      readonly hostIP: string;
    }[];
  };
}
