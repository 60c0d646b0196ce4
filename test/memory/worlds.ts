import type { Labels } from "../../core/kubernetes.ts";
import type {
  CalicoPolicy,
  CiliumNetworkPolicy,
  ClusterNetworkPolicy,
  NetworkPolicy,
  PolicySet,
} from "../../core/policies.ts";
import { decide, type Flow, type FlowEnd } from "../../core/quarantine/reach/decide.ts";
import type { Cni, World, WorldPod } from "../../core/quarantine/reach/model.ts";

export const NO_POLICIES: PolicySet = {
  networkPolicies: [],
  applicationNetworkPolicies: [],
  clusterNetworkPolicies: [],
  ciliumNetworkPolicies: [],
  calicoPolicies: [],
};

/** A pod as policies see it, by `namespace/name`. */
export function aWorldPod(name: string, labels: Labels = {}, changes: Partial<WorldPod> = {}) {
  const [namespace = "", pod = ""] = name.split("/");
  return { namespace, name: pod, labels, ips: [], ports: [], hostNetwork: false, ...changes };
}

export function aWorld(
  pods: readonly WorldPod[],
  policies: Partial<PolicySet>,
  cni: Cni | null = null,
  namespaces: World["namespaces"] = {},
): World {
  return { pods, namespaces, policies: { ...NO_POLICIES, ...policies }, cni };
}

/** A NetworkPolicy by `namespace/name`; its spec may be anything that a cluster might send. */
export function netpol(name: string, spec: unknown): NetworkPolicy {
  return policy("NetworkPolicy", name, spec);
}

export function clusterPolicy(name: string, spec: unknown): ClusterNetworkPolicy {
  return policy("ClusterNetworkPolicy", name, spec);
}

/** With a namespace a CiliumNetworkPolicy, without one a CiliumClusterwideNetworkPolicy. */
export function cilium(name: string, spec: unknown): CiliumNetworkPolicy {
  const wide = !name.includes("/");
  return policy(wide ? "CiliumClusterwideNetworkPolicy" : "CiliumNetworkPolicy", name, spec);
}

export function calico(name: string, spec: unknown): CalicoPolicy {
  return policy(name.includes("/") ? "NetworkPolicy" : "GlobalNetworkPolicy", name, spec);
}

/** Through JSON, as a policy arrives: the one way to hand over a spec of the wrong shape. */
function policy(kind: string, name: string, spec: unknown) {
  const [namespace, own] = name.includes("/") ? name.split("/") : [undefined, name];
  return JSON.parse(JSON.stringify({ kind, metadata: { name: own, namespace }, spec }));
}

const http = { name: "http", containerPort: 8080 };
const dns = { name: "dns", containerPort: 53, protocol: "UDP" };
export const WEB = aWorldPod(
  "shop/web",
  { app: "web" },
  { ips: ["10.0.0.1"], ports: [http, dns], serviceAccountName: "web" },
);
export const OTHER_DB = aWorldPod(
  "other/db",
  { app: "db" },
  { ips: ["10.9.0.1"], serviceAccountName: "ops" },
);
export const HOST_AGENT = aWorldPod(
  "other/agent",
  { app: "db" },
  { ips: ["192.168.0.1"], hostNetwork: true },
);

/** `shop/web`, `shop/db`, `other/db` and, on the network of its node, `other/agent`. */
export function aShop(policies: Partial<PolicySet>, cni: Cni | null = null): World {
  const db = aWorldPod("shop/db", { app: "db" }, { ips: ["10.0.0.2", "fd00::2"] });
  const namespaces = { shop: { team: "a" }, other: { team: "b" } };
  return aWorld([WEB, db, OTHER_DB, HOST_AGENT], policies, cni, namespaces);
}

/** Whether `shop/web` lets this pod or address in, on TCP 8080 unless another is said. */
export function lets(world: World, from: string, changes: Partial<Flow> = {}): boolean {
  const end: FlowEnd = /^[\d:]|^f/.test(from) ? { ip: from } : { pod: from };
  const to = { pod: "shop/web" };
  return decide(world, { from: end, to, protocol: "TCP", port: 8080, ...changes }).ingress.allowed;
}
