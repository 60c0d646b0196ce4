/**
 * What to contain, as an alert names it. `uid` and `containerId` are null when the source does not
 * know them; they are then not guessed but read from the cluster when the target is proven.
 */
export type Target = PodTarget | NamespaceTarget;

export interface PodTarget {
  readonly cluster: string;
  readonly namespace: string;
  readonly kind: "pod";
  readonly name: string;
  readonly uid: string | null;
  /** Container id as the runtime prints it; Falco shortens it to 12 characters. */
  readonly containerId: string | null;
}

export interface NamespaceTarget {
  readonly cluster: string;
  readonly namespace: string;
  readonly kind: "namespace";
  /** The namespace again, so that every target has a name of its own kind. */
  readonly name: string;
  readonly uid: string | null;
}

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Namespaces are DNS labels (RFC 1123): anything else could not exist, and may be an attack. */
export function isNamespaceName(name: string): boolean {
  return DNS_LABEL.test(name);
}

/** Pods are named by DNS subdomains of at most 253 characters. */
export function isPodName(name: string): boolean {
  return name.length <= 253 && DNS_SUBDOMAIN.test(name);
}

/** `payments/checkout-6d8f7c9b5c-x2lqz` or `payments`, as people write it. */
export function describeTarget(target: Pick<Target, "kind" | "namespace" | "name">): string {
  return target.kind === "pod"
    ? `pod ${target.namespace}/${target.name}`
    : `namespace ${target.namespace}`;
}

/** UIDs of Kubernetes objects: they become part of keys, so nothing else is taken for one. */
export function isUid(value: string): boolean {
  return /^[0-9A-Za-z-]{1,64}$/.test(value);
}
