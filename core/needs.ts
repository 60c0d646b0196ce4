import type { Clusters } from "./cluster/authenticate.ts";
import type { ClusterRead, ClusterWrite } from "./cluster/rights.ts";
import type { Identities } from "./credentials/preview-credentials.ts";
import type { KeyPattern } from "./evidence/keys.ts";
import type { Announcements } from "./evidence/record-run.ts";
import type { EvidenceStore } from "./evidence/store.ts";
import type { Kubernetes, WorkloadKind } from "./kubernetes.ts";
import type { Instances } from "./node/instances.ts";
import type { Volumes } from "./node/volumes.ts";
import type { Denial } from "./policies.ts";

/**
 * What a state asks of the world, in the words of its ports. It is declared beside the function that
 * asks: that one is given the operations declared and no others, so it cannot compile with more, and
 * test/needs.test.ts finds what is declared and never used. What it costs in rights of Kubernetes is
 * in `cluster/rights.ts`, what it costs in actions of IAM beside the calls in `adapters/aws/`;
 * kubernetes/rbac.yaml and the roles of the functions are generated from all of this.
 */
export interface Needs {
  readonly kubernetes?: ClusterNeeds;
  readonly evidence?: EvidenceNeeds;
  readonly clusters?: readonly (keyof Clusters)[];
  readonly volumes?: readonly (keyof Volumes)[];
  readonly identities?: readonly (keyof Identities)[];
  readonly instances?: readonly (keyof Instances)[];
  readonly announcements?: readonly (keyof Announcements)[];
  /** What later states need and this one finds out beforehand: its function holds their rights too. */
  readonly checks?: readonly Needs[];
}

export interface ClusterNeeds {
  /** Reads without which the state fails. */
  readonly reads: readonly ClusterRead[];
  /** Reads that the state can do without, and says so where they are refused. */
  readonly optional?: readonly ClusterRead[];
  /** Kinds of which objects are patched. */
  readonly patches?: readonly WrittenKind[];
  /** Kinds of which policies of the case's own are made, and put right where they were changed. */
  readonly makes?: readonly Denial["kind"][];
  /** Kinds of which policies of the case's own are deleted. */
  readonly deletes?: readonly Denial["kind"][];
  /** Pods are evicted. */
  readonly evicts?: true;
}

/** The kinds of which a plan may hold writes. */
export type WrittenKind =
  | "Pod"
  | "Node"
  | WorkloadKind
  | "ApplicationNetworkPolicy"
  | Denial["kind"];

/** Keys of the evidence store; `*` stands for any text. */
export interface EvidenceNeeds {
  /** Written once; what lies there already is read instead. */
  readonly writes?: readonly KeyPattern[];
  readonly reads?: readonly KeyPattern[];
  /** Listed under a prefix and hashed again. */
  readonly inspects?: readonly KeyPattern[];
  readonly frees?: readonly KeyPattern[];
  /** Listed under a prefix, and not read. */
  readonly lists?: readonly KeyPattern[];
}

/** The cluster with the operations that were declared; all writes or none, the kinds are not types. */
export type ClusterFor<N extends { readonly kubernetes: ClusterNeeds }> = Pick<
  Kubernetes,
  | N["kubernetes"]["reads"][number]
  | (N["kubernetes"] extends { readonly optional: readonly (infer Read)[] }
      ? Extract<Read, ClusterRead>
      : never)
  | (N["kubernetes"] extends { readonly makes: unknown } ? Exclude<ClusterWrite, "evict"> : never)
  | (N["kubernetes"] extends { readonly evicts: true } ? "evict" : never)
  | (N["kubernetes"] extends { readonly patches: unknown } ? "patch" : never)
>;

/** The evidence store with the operations that were declared. */
export type StoreFor<N extends { readonly evidence: EvidenceNeeds }> = Pick<
  EvidenceStore,
  StoreOperations[Extract<keyof N["evidence"], keyof StoreOperations>]
>;

interface StoreOperations {
  readonly writes: "putOnce";
  readonly reads: "read";
  readonly inspects: "inspect";
  readonly frees: "free";
  readonly lists: "list";
}
