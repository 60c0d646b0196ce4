import { type Address, parseAddress } from "./ip.ts";
import type { Direction, PolicyRule, World } from "./model.ts";
import type { Peer } from "./peers.ts";
import { intersection, isEmpty, type Protocol, portRange } from "./ports.ts";
import { FREE, matchPeers, matchPorts, type Passage, walk } from "./walk.ts";
import { onOwnNode, type PreparedEngine, type PreparedPod, podNamed, prepare } from "./world.ts";

/** One end of a flow: a pod of the world by `namespace/name`, or an address. */
export type FlowEnd = { readonly pod: string } | { readonly ip: string };

export interface Flow {
  readonly from: FlowEnd;
  readonly to: FlowEnd;
  readonly protocol: Protocol;
  /** The port that receives. */
  readonly port: number;
}

/** The rules that allow; if denied, the policies that isolate and the rules that deny. */
export interface Decision {
  readonly allowed: boolean;
  readonly by: readonly PolicyRule[];
}

export interface FlowDecision {
  readonly ingress: Decision;
  readonly egress: Decision;
  /** Both ends allow it. */
  readonly allowed: boolean;
}

type End = PreparedPod | Address;

/**
 * Decides one flow. An address that is a pod's is that pod. Throws for a pod that is not in the
 * world and for what is no address.
 */
export function decide(world: World, flow: Flow): FlowDecision {
  const prepared = prepare(world);
  const endOf = (end: FlowEnd): End => {
    if ("pod" in end) return podNamed(prepared, end.pod);
    const address = parseAddress(end.ip);
    if (!address) throw new Error(`${end.ip} is no IP address`);
    return prepared.pods.find((pod) => !pod.host && has(pod, address)) ?? address;
  };
  const from = endOf(flow.from);
  const to = endOf(flow.to);
  const port = portRange(flow.protocol, flow.port, flow.port);
  const free = isPod(from) && isPod(to) && (from === to || onOwnNode(from, to));
  const passages = prepared.engines.map((engine) => {
    const one = (self: End, peer: End, direction: Direction): Passage =>
      free || !isPod(self) ? FREE : passageOf(engine, self, peer, direction);
    return { ingress: one(to, from, "ingress"), egress: one(from, to, "egress") };
  });

  function passageOf(engine: PreparedEngine, self: PreparedPod, peer: End, direction: Direction) {
    const other: Peer = isPod(peer) ? peer : { is: "address", address: peer, mayBeNamed: true };
    const receiver = isPod(peer) ? [peer.class.ports] : [[]];
    return walk(
      engine.stages(self, direction),
      (entry) => matchPorts(entry, matchPeers(entry, self, other), other, receiver),
      port,
    );
  }

  const open = (passage: Passage) => !isEmpty(intersection(passage.allowed, port));
  return {
    ingress: decision(
      passages.map(({ ingress }) => ingress),
      open,
    ),
    egress: decision(
      passages.map(({ egress }) => egress),
      open,
    ),
    allowed: passages.some(({ ingress, egress }) => open(ingress) && open(egress)),
  };
}

function isPod(end: End): end is PreparedPod {
  return "class" in end;
}

function has({ addresses }: PreparedPod, { family, value }: Address): boolean {
  return addresses.some((each) => each.family === family && each.value === value);
}

function decision(passages: readonly Passage[], open: (passage: Passage) => boolean): Decision {
  const allowing = passages.filter(open);
  const by =
    allowing.length > 0
      ? allowing.flatMap(({ grants }) => grants.flatMap(({ by }) => (by ? [by.rule.by] : [])))
      : passages.flatMap(({ denials }) => denials.map(({ by }) => by));
  const unique = new Map(by.map((rule) => [JSON.stringify(rule), rule]));
  return { allowed: allowing.length > 0, by: [...unique.values()] };
}
