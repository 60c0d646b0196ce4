import type { FirstPage, ObjectMeta, Service } from "./kubernetes.ts";

/*
 * What is read for the record and for the identity of a pod, not to decide a policy: a part of the
 * port `Kubernetes`.
 */

/** An object kept as the API server sends it. */
export interface RecordedObject {
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** What a pod's service account is; its annotations name its IAM role. */
export interface ServiceAccount {
  readonly metadata: ObjectMeta;
  readonly automountServiceAccountToken?: boolean;
}

export interface Subject {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

/** A RoleBinding, or a ClusterRoleBinding, which has no namespace. */
export interface Binding {
  readonly metadata: ObjectMeta;
  readonly roleRef: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly Subject[];
}

export interface Role {
  readonly metadata: ObjectMeta;
  readonly rules?: readonly unknown[] | null;
}

export interface ContainerRef {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** The container's last one before it was restarted. */
  readonly previous: boolean;
}

export interface LogBounds {
  /** Of the end of the log. */
  readonly tailLines: number;
  /** Bytes after which the answer breaks off: the first ones of these lines, not the last. */
  readonly limitBytes: number;
  /** Milliseconds. */
  readonly timeoutMs: number;
}

type Named = { readonly metadata: ObjectMeta };

export interface ContextReads {
  /** Events about the object with this UID, or where it is null about any object of the namespace. */
  events(namespace: string, uid: string | null): Promise<FirstPage<RecordedObject>>;
  services(namespace: string): Promise<FirstPage<Service>>;
  endpointSlices(namespace: string): Promise<FirstPage<RecordedObject>>;
  serviceAccount(namespace: string, name: string): Promise<ServiceAccount | null>;
  /** Those of all namespaces, name and annotations only. */
  serviceAccountPages(): AsyncIterable<readonly Named[]>;
  /** RoleBindings of all namespaces, for each may name any service account, and ClusterRoleBindings. */
  bindingPages(): AsyncIterable<readonly Binding[]>;
  /** A ClusterRole where the namespace is null. */
  role(namespace: string | null, name: string): Promise<Role | null>;
  /** Pods of all namespaces on a node, without spec and status. */
  podsOnNode(node: string): AsyncIterable<readonly Named[]>;
  podsOfServiceAccount(namespace: string, name: string): AsyncIterable<readonly Named[]>;
  /** Lines, each with the time at which the runtime received it. */
  containerLog(container: ContainerRef, bounds: LogBounds): Promise<string>;
}
