/**
 * Peers that a random scene does not have, made to fit what a policy allows: what a verdict says is
 * still open must be open to somebody.
 */
import { BlockList } from "node:net";
import type { NetworkPolicy, NetworkPolicyPeer } from "../../core/policies.ts";
import type { Lab, LabPod, Place } from "../../local/packet-lab/lab.ts";
import { allowedBy, attempts, concerns, type Seen, shows } from "./attempts.ts";
import { fittingLabels } from "./fitting.ts";

/** Has no policy of its own, and any labels that are needed. */
const FREE = "guests";
/** No pods: one among the pods' addresses, one in the block 192.168.0.0/16, one in none. */
const OUTSIDERS = ["10.244.0.9", "192.168.3.3", "198.51.100.7"];

export interface Guests {
  readonly all: readonly Place[];
  /** Without labels, as a scene begins. */
  reset(): Promise<void>;
  /**
   * Whether a flow of the target passes that this policy allows: one that was seen, or one of a guest
   * that is made to fit. `keptAway`: the target's side lets it pass and the other side does not.
   * `itself`: of the addresses that it allows, only the target's own are anybody's here.
   */
  show(policy: string, target: LabPod, seen: Seen): Promise<Shown>;
}

type Shown = "passes" | "keptAway" | "itself" | "never";

/** A guest in each of the scene's namespaces, one in a namespace of its own, and outsiders. */
export async function addGuests(
  lab: Lab,
  namespaces: readonly string[],
  { ports, look }: { readonly ports: readonly number[]; readonly look: Look },
): Promise<Guests> {
  await lab.addNamespace(FREE);
  const pods = await Promise.all(
    [...namespaces, FREE].map((namespace) =>
      lab.addPod({ namespace, name: "guest", listens: ports }),
    ),
  );
  const outsiders = await Promise.all(OUTSIDERS.map((address) => lab.addOutsider(address, ports)));

  /** The guest that the peer stands for, labelled so; null when no pod can be it. */
  async function invite(peer: NetworkPolicyPeer, home: string): Promise<LabPod | null> {
    const { podSelector = {}, namespaceSelector } = peer;
    const named = namespaceSelector?.matchLabels?.["kubernetes.io/metadata.name"];
    const namespace = namespaceSelector ? (named ?? FREE) : home;
    const guest = pods.find((pod) => pod.namespace === namespace);
    const labels = fittingLabels(podSelector);
    const around = namespace === FREE ? fittingLabels(namespaceSelector ?? {}) : {};
    if (peer.ipBlock || !guest || !labels || !around) return null;
    await lab.relabelPod(guest, labels);
    if (namespace === FREE) await lab.relabelNamespace(FREE, around);
    return guest;
  }

  return {
    all: [...pods, ...outsiders],
    async reset() {
      await Promise.all(pods.map((pod) => lab.relabelPod(pod, {})));
      await lab.relabelNamespace(FREE, {});
    },
    async show(policy, target, seen) {
      if (shows(seen, target, policy)) return "passes";
      let allowed = allows(seen, target, policy);
      for (const peer of peersOf(seen, policy)) {
        const guest = await invite(peer, target.namespace);
        if (!guest) continue;
        const now = await look([
          ...attempts([guest], [target], ports),
          ...attempts([target], [guest], ports),
        ]);
        if (shows(now, target, policy)) return "passes";
        allowed ||= allows(now, target, policy);
      }
      if (allowed) return "keptAway";
      return peersOf(seen, policy).some((peer) => has(peer, target)) ? "itself" : "never";
    },
  };
}

/** Sends flows once everything is enforced. */
export type Look = (all: ReturnType<typeof attempts>) => Promise<Seen>;

function allows({ world, tried }: Seen, target: Place, policy: string): boolean {
  return tried.some(
    (each) => concerns(each, [target]) && allowedBy(world, each, target).includes(policy),
  );
}

function has({ ipBlock }: NetworkPolicyPeer, { address }: Place): boolean {
  const [network, bits] = ipBlock?.cidr.split("/") ?? [];
  if (network === undefined) return false;
  const block = new BlockList();
  block.addSubnet(network, Number(bits));
  return block.check(address);
}

function peersOf({ world }: Seen, policy: string): readonly NetworkPolicyPeer[] {
  const nameOf = ({ metadata }: NetworkPolicy) => `${metadata.namespace}/${metadata.name}`;
  const found = world.policies.networkPolicies.find((each) => nameOf(each) === policy);
  const { ingress = [], egress = [] } = found?.spec ?? {};
  return [...ingress.flatMap(({ from = [] }) => from), ...egress.flatMap(({ to = [] }) => to)];
}
