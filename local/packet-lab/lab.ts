/**
 * A cluster whose NetworkPolicies decide on real packets: a real API server, kube-router's network
 * policy controller, and pods that are network namespaces. It takes the network namespace of this
 * process for its node, so it starts only where `npm run packets` has made one.
 */
import type { Labels, Namespace, ObjectMeta, Pod } from "../../core/kubernetes.ts";
import type { NetworkPolicy } from "../../core/policies.ts";
import type { ResponderAccess } from "../responder.ts";
import type { Cluster } from "./cluster.ts";
import { startControlPlane } from "./control-plane.ts";
import { listen } from "./echo.ts";
import { enclosure } from "./enclosure.ts";
import { type Destination, type Protocol, probe } from "./flow.ts";
import { connectPod, disconnectPod, forgetFlows, nodeAddress, setUpNode } from "./network.ts";
import {
  createNamespace,
  createPod,
  markerPaths,
  nodeName,
  ownNamespace,
  type PodOptions,
  podPath,
} from "./objects.ts";
import { type LongLivedFlow, type PodSandbox, startSandbox } from "./pod.ts";

/** See kube-router/rounds.go. */
const roundLabel = "packet-lab/round";
/** A refused packet is answered at once, so that only a loss takes this long. */
const probeLimitMs = 1_500;

/** An address and what answers there. */
export interface Place {
  readonly address: string;
}

export interface LabPod extends Place {
  readonly namespace: string;
  readonly name: string;
}

/** Where a flow begins: a pod, an outsider, or the node itself. */
export type Origin = Place | "node";

export interface Lab {
  readonly node: { readonly name: string; readonly address: string };
  /** What `httpsTransport` of adapters/kubernetes needs, with the rights of the product. */
  readonly responder: ResponderAccess;
  /** The administrator. */
  readonly cluster: Cluster;

  addNamespace(name: string, labels?: Labels): Promise<void>;
  relabelNamespace(name: string, labels: Labels): Promise<void>;
  addPod(options: PodOptions): Promise<LabPod>;
  /** A pod on the node's own network, which no policy concerns. */
  addHostPod(options: PodOptions): Promise<LabPod>;
  /** Somebody behind the node who is no pod: the cluster does not know the address. */
  addOutsider(address: string, listens: readonly number[]): Promise<Place>;
  relabelPod(pod: LabPod, labels: Labels): Promise<void>;
  removePod(pod: LabPod): Promise<void>;
  /** The namespace then has these policies and no others. */
  replacePolicies(namespace: string, policies: readonly NetworkPolicy[]): Promise<void>;
  /** Returns when every change made so far, by whomever, is enforced. */
  settled(): Promise<void>;
  /** What the API server holds, without the lab's own objects. */
  objects(): Promise<LabObjects>;

  /** Whether a new flow gets an answer. */
  passes(from: Origin, to: Place, protocol: Protocol, port: number): Promise<boolean>;
  /** Opens a flow that stays. Throws when it does not get through. */
  open(from: Place, to: Place, protocol: Protocol, port: number): Promise<LongLivedFlow>;
  /** Ends what connection tracking knows of the pod's flows, or of all. */
  forgetFlows(of?: Place): Promise<void>;

  stop(): Promise<void>;
}

/** What decides on traffic. */
export interface LabObjects {
  readonly namespaces: readonly Namespace[];
  readonly pods: readonly Pod[];
  readonly networkPolicies: readonly NetworkPolicy[];
}

/** Starts a lab without pods. Stop it before another one starts in this process. */
export async function startLab(): Promise<Lab> {
  const binaries = await enclosure();
  await setUpNode();
  const controlPlane = await startControlPlane(binaries);
  const { cluster, responder } = controlPlane;
  const running = new Map<string, { readonly sandbox: PodSandbox; end(): Promise<void> }>();
  const runningAt = ({ address }: Place) => {
    const found = running.get(address);
    if (!found) throw new Error(`Nothing runs at ${address}`);
    return found;
  };
  const run = async (sandbox: PodSandbox, address: string) => {
    const cable = await connectPod(sandbox.pid, address);
    const end = async () => {
      await disconnectPod(cable); // without it the route outlives the pod for a while
      await sandbox.end();
    };
    running.set(address, { sandbox, end });
  };
  const onNode: (() => void)[] = [];
  let round = 0;

  return {
    node: { name: nodeName, address: nodeAddress },
    responder,
    cluster,

    addNamespace: (name, labels = {}) => createNamespace(cluster, name, labels),
    relabelNamespace: (name, labels) => cluster.relabel(`/api/v1/namespaces/${name}`, labels),

    async addPod(options) {
      const { namespace, name } = options;
      const [sandbox, address] = await Promise.all([
        startSandbox(options.listens),
        createPod(cluster, options),
      ]);
      await run(sandbox, address);
      return { namespace, name, address };
    },
    async addHostPod(options) {
      const { namespace, name, listens } = options;
      const address = await createPod(cluster, options, true);
      onNode.push(await listen(listens, address));
      return { namespace, name, address };
    },
    async addOutsider(address, listens) {
      await run(await startSandbox(listens), address);
      return { address };
    },
    relabelPod: (pod, labels) => cluster.relabel(podPath(pod), labels),
    async removePod(pod) {
      const { end } = runningAt(pod);
      running.delete(pod.address);
      await cluster.remove(`${podPath(pod)}?gracePeriodSeconds=0`);
      await end();
    },

    async replacePolicies(namespace, policies) {
      const path = `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`;
      await cluster.remove(path);
      await Promise.all(policies.map((policy) => cluster.create(path, policy)));
    },

    async settled() {
      const labels = { [roundLabel]: String(++round) };
      await Promise.all(markerPaths.map((path) => cluster.relabel(path, labels)));
      await controlPlane.enforced(round);
    },

    objects: () => listObjects(cluster),

    async passes(from, to, protocol, port) {
      const destination: Destination = { address: to.address, protocol, port };
      const once = () =>
        from === "node" || from.address === nodeAddress
          ? probe(destination, probeLimitMs)
          : runningAt(from).sandbox.probe(destination, probeLimitMs);
      const outcome = await once();
      // Policies refuse aloud: silence is a busy machine's.
      return (outcome === "silent" ? await once() : outcome) === "passes";
    },
    open: (from, to, protocol, port) =>
      runningAt(from).sandbox.open({ address: to.address, protocol, port }, probeLimitMs),
    forgetFlows: (of) => forgetFlows(of?.address),

    async stop() {
      for (const end of onNode) end();
      await Promise.all([...running.values()].map(({ end }) => end()));
      await controlPlane.stop();
    },
  };
}

async function listObjects(cluster: Cluster): Promise<LabObjects> {
  const list = async <T extends { readonly metadata: ObjectMeta }>(path: string) => {
    const { items } = await cluster.get<{ readonly items: readonly T[] }>(path);
    return items.filter(
      ({ metadata: { namespace, name } }) => (namespace ?? name) !== ownNamespace,
    );
  };
  const [namespaces, pods, networkPolicies] = await Promise.all([
    list<Namespace>("/api/v1/namespaces"),
    list<Pod>("/api/v1/pods"),
    list<NetworkPolicy>("/apis/networking.k8s.io/v1/networkpolicies"),
  ]);
  return { namespaces, pods, networkPolicies };
}
