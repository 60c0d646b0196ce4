/** Flows as packets and as the evaluator sees them. */
import {
  type Decision,
  decide,
  type Flow,
  type FlowEnd,
} from "../../core/quarantine/reach/decide.ts";
import { describePolicy, type World, worldPod } from "../../core/quarantine/reach/model.ts";
import type { Protocol } from "../../local/packet-lab/flow.ts";
import type { Lab, LabObjects, LabPod, Place } from "../../local/packet-lab/lab.ts";

/** A new flow that is tried. */
export interface Attempt {
  readonly from: Place;
  readonly to: Place;
  readonly protocol: Protocol;
  readonly port: number;
}

export interface Tried extends Attempt {
  readonly passes: boolean;
}

/** What the cluster holds, as the evaluator takes it. */
export function worldOf({ namespaces, pods, networkPolicies }: LabObjects): World {
  return {
    pods: pods.map(worldPod),
    namespaces: Object.fromEntries(
      namespaces.map(({ metadata }) => [metadata.name, metadata.labels ?? {}]),
    ),
    policies: {
      networkPolicies,
      applicationNetworkPolicies: [],
      clusterNetworkPolicies: [],
      ciliumNetworkPolicies: [],
      calicoPolicies: [],
    },
    cni: null, // what all CNIs have in common
  };
}

/** Every flow from one of these to one of those, over TCP and UDP; none to itself. */
export function attempts(
  from: readonly Place[],
  to: readonly Place[],
  ports: readonly number[],
): Attempt[] {
  return from.flatMap((one) =>
    to
      .filter((other) => other.address !== one.address)
      .flatMap((other) =>
        (["TCP", "UDP"] as const).flatMap((protocol) =>
          ports.map((port) => ({ from: one, to: other, protocol, port })),
        ),
      ),
  );
}

export function send(lab: Lab, all: readonly Attempt[]): Promise<Tried[]> {
  return Promise.all(
    all.map(async (attempt) => {
      const { from, to, protocol, port } = attempt;
      return { ...attempt, passes: await lab.passes(from, to, protocol, port) };
    }),
  );
}

/** What the product says of a flow. */
export function decided(world: World, { from, to, protocol, port }: Attempt) {
  const flow: Flow = { from: endOf(from), to: endOf(to), protocol, port };
  return decide(world, flow);
}

/** Flows that were tried, and the cluster that they were tried in. */
export interface Seen {
  readonly world: World;
  readonly tried: readonly Tried[];
}

/** The flows of which packets and evaluator say different things, in words. */
export function disagreements({ world, tried }: Seen): string[] {
  return tried
    .filter((each) => each.passes !== decided(world, each).allowed)
    .map((each) => `${describeAttempt(each)} ${each.passes ? "passes" : "is blocked"}`);
}

/** The policies that allow a flow on the side of one of its ends. */
export function allowedBy(world: World, attempt: Attempt, end: Place): readonly string[] {
  const { ingress, egress } = decided(world, attempt);
  const side: Decision = attempt.to.address === end.address ? ingress : egress;
  return side.allowed ? side.by.map(describePolicy) : [];
}

/** The flows of a pod that pass although no policy that its verdict names allows them, in words. */
export function unsaid({ world, tried }: Seen, pod: Place, allowing: readonly string[]): string[] {
  return tried
    .filter((each) => each.passes && concerns(each, [pod]))
    .filter((each) => !allowedBy(world, each, pod).some((name) => allowing.includes(name)))
    .map(describeAttempt);
}

/** Whether a flow of the pod passes that this policy allows. */
export function shows({ world, tried }: Seen, pod: Place, policy: string): boolean {
  return tried.some(
    (each) => each.passes && concerns(each, [pod]) && allowedBy(world, each, pod).includes(policy),
  );
}

export function passing(tried: readonly Tried[]): string[] {
  return tried.filter(({ passes }) => passes).map(describeAttempt);
}

export function concerns(
  { from, to }: Pick<Attempt, "from" | "to">,
  places: readonly Place[],
): boolean {
  return places.some(({ address }) => address === from.address || address === to.address);
}

export function describeAttempt(attempt: Attempt): string {
  return `${describeEnds(attempt)} ${attempt.protocol} ${attempt.port}`;
}

export function describeEnds({ from, to }: Pick<Attempt, "from" | "to">): string {
  return `${describePlace(from)} to ${describePlace(to)}`;
}

function describePlace(place: Place): string {
  const end = endOf(place);
  return "pod" in end ? end.pod : end.ip;
}

function endOf(place: Place | LabPod): FlowEnd {
  return "name" in place ? { pod: `${place.namespace}/${place.name}` } : { ip: place.address };
}
