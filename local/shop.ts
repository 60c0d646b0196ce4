/**
 * The manifests of a small shop in one namespace: `frontend` may speak to `checkout`, `checkout` to
 * the stateful `database` and to DNS. `checkout` is what gets compromised.
 *
 * The types of the client are not decoration here: it sends only fields it knows by its own names,
 * and an ingress rule whose peers are called `from` instead of `_from` would silently allow everybody.
 */
import type {
  KubernetesObject,
  V1Deployment,
  V1DeploymentSpec,
  V1NetworkPolicy,
  V1NetworkPolicyPeer,
  V1NetworkPolicyPort,
  V1PersistentVolume,
  V1Service,
  V1StatefulSet,
  V1VolumeMount,
} from "@kubernetes/client-node";

import { NODE_GROUP_LABEL } from "./nodes.ts";

const registry = "111122223333.dkr.ecr.us-east-1.amazonaws.com";
export const volumeSizeGiB = 8;
const capacity = `${volumeSizeGiB}Gi`;
const storage = "storage";
/** The claim that the StatefulSet makes for its first pod. */
export const databaseClaim = `${storage}-database-0`;

const checkoutPort = 8080;
const databasePort = 5432;
const dns: V1NetworkPolicyPeer = {
  namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } },
  podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
};

const dnsPorts: V1NetworkPolicyPort[] = [
  { port: 53, protocol: "UDP" },
  { port: 53, protocol: "TCP" },
];

/** Labels that a node must have; none: any node. */
type NodeSelector = Record<string, string>;

/**
 * Everything in the order in which it is applied. `volume` is the database's EBS volume; `nodeGroup`
 * names the nodes on which its pods run, if not on any.
 */
export function shopManifests(
  namespace: string,
  volume: { readonly volumeId: string; readonly availabilityZone: string },
  nodeGroup?: string,
): KubernetesObject[] {
  const on = nodeGroup === undefined ? {} : { [NODE_GROUP_LABEL]: nodeGroup };
  return [
    {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: namespace, labels: { "pod-security.kubernetes.io/enforce": "baseline" } },
    },
    // None selects the checkout: most workloads that are broken into were under no policy.
    allowIngress(namespace, "database-from-checkout", "database", podsOf("checkout"), databasePort),
    allowEgress(namespace, "database-to-dns", "database", dns, dnsPorts),
    allowEgress(namespace, "frontend-to-checkout", "frontend", podsOf("checkout"), [
      { port: checkoutPort, protocol: "TCP" },
    ]),
    allowEgress(namespace, "frontend-to-dns", "frontend", dns, dnsPorts),
    service(namespace, "frontend", checkoutPort),
    service(namespace, "checkout", checkoutPort),
    service(namespace, "database", databasePort),
    deployment(namespace, "frontend", "2.0.1", 1, on),
    deployment(namespace, "checkout", "1.4.2", 2, on),
    persistentVolume(namespace, volume),
    database(namespace, on),
  ];
}

function deployment(
  namespace: string,
  name: string,
  version: string,
  replicas: number,
  nodeSelector: NodeSelector,
): V1Deployment {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace, labels: { app: name } },
    spec: { replicas, ...pods(name, version, nodeSelector) },
  };
}

function database(namespace: string, nodeSelector: NodeSelector): V1StatefulSet {
  const mounts = [{ name: storage, mountPath: "/var/lib/database" }];
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "database", namespace, labels: { app: "database" } },
    spec: {
      replicas: 1,
      serviceName: "database",
      ...pods("database", "16.4", nodeSelector, mounts),
      volumeClaimTemplates: [
        {
          metadata: { name: storage },
          spec: {
            accessModes: ["ReadWriteOnce"],
            storageClassName: "", // the volume made for it and no other
            resources: { requests: { storage: capacity } },
          },
        },
      ],
    },
  };
}

/** Bound to its claim beforehand, as an administrator restores a volume. */
function persistentVolume(
  namespace: string,
  volume: { readonly volumeId: string; readonly availabilityZone: string },
): V1PersistentVolume {
  const inZone = {
    key: "topology.kubernetes.io/zone",
    operator: "In",
    values: [volume.availabilityZone],
  };
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: persistentVolumeName(namespace) },
    spec: {
      capacity: { storage: capacity },
      accessModes: ["ReadWriteOnce"],
      persistentVolumeReclaimPolicy: "Retain",
      claimRef: { namespace, name: databaseClaim },
      csi: { driver: "ebs.csi.aws.com", fsType: "ext4", volumeHandle: volume.volumeId },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [inZone] }] } },
    },
  };
}

/** Volumes are not namespaced, so the name carries the namespace. */
export function persistentVolumeName(namespace: string): string {
  return `${namespace}-${databaseClaim}`;
}

function pods(
  name: string,
  version: string,
  nodeSelector: NodeSelector,
  volumeMounts: V1VolumeMount[] = [],
): Pick<V1DeploymentSpec, "selector" | "template"> {
  return {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        nodeSelector,
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 0, // a test's namespace is gone at once
        containers: [{ name, image: `${registry}/${name}:${version}`, volumeMounts }],
      },
    },
  };
}

function service(namespace: string, name: string, port: number): V1Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace, labels: { app: name } },
    spec: { selector: { app: name }, ports: [{ port, protocol: "TCP" }] },
  };
}

function allowIngress(
  namespace: string,
  name: string,
  app: string,
  peer: V1NetworkPolicyPeer,
  port: number,
): V1NetworkPolicy {
  return {
    ...{ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name, namespace } },
    spec: {
      podSelector: { matchLabels: { app } },
      policyTypes: ["Ingress"],
      ingress: [{ _from: [peer], ports: [{ port, protocol: "TCP" }] }],
    },
  };
}

function allowEgress(
  namespace: string,
  name: string,
  app: string,
  peer: V1NetworkPolicyPeer,
  ports: V1NetworkPolicyPort[],
): V1NetworkPolicy {
  return {
    ...{ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name, namespace } },
    spec: {
      podSelector: { matchLabels: { app } },
      policyTypes: ["Egress"],
      egress: [{ to: [peer], ports }],
    },
  };
}

function podsOf(app: string): V1NetworkPolicyPeer {
  return { podSelector: { matchLabels: { app } } };
}
