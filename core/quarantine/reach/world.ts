import { compile, type Engine } from "./compile.ts";
import { type Address, parseAddress } from "./ip.ts";
import { type Attributes, holds } from "./label-expression.ts";
import { Lookup } from "./lookup.ts";
import { MAYBE, NO, YES } from "./match.ts";
import type { CompiledPolicy, Direction, World, WorldPod } from "./model.ts";
import { askedBy, type PodClass, PodClasses } from "./pod-class.ts";
import { hasNames } from "./ports.ts";
import { eachAlone, type Siblings, sharingRules } from "./siblings.ts";
import { type Applied, type Stage, stagesOf } from "./walk.ts";

/** A pod of the world; as it is, one end of a flow. One object each: there are many. */
export class PreparedPod {
  readonly is = "pod";
  /** `namespace/name`. */
  readonly name: string;
  readonly pod: WorldPod;
  readonly class: PodClass;
  readonly siblings: Siblings;
  #addresses: readonly Address[] | null = null;

  constructor(pod: WorldPod, podClass: PodClass, siblings: Siblings) {
    this.name = `${pod.namespace}/${pod.name}`;
    this.pod = pod;
    this.class = podClass;
    this.siblings = siblings;
  }

  get attributes(): Attributes {
    return this.class.attributes;
  }

  get host(): boolean {
    return this.class.host;
  }

  /** Read when they are asked for: most pods are decided on without. */
  get addresses(): readonly Address[] {
    this.#addresses ??= this.pod.ips.map(parseAddress).filter((each) => each !== null);
    return this.#addresses;
  }
}

export interface PreparedWorld {
  readonly pods: readonly PreparedPod[];
  readonly engines: readonly PreparedEngine[];
}

export interface PreparedEngine extends Engine {
  /** The policies that apply to a pod, in the order in which they decide. */
  applied(pod: PreparedPod): readonly Applied[];
  /** The same policies in one direction; the same list, the same object, where they are the same. */
  stages(pod: PreparedPod, direction: Direction): readonly Stage[];
}

const prepared = new WeakMap<World, PreparedWorld>();

/** Reads a world once: classes of pods, policies compiled and filed. Linear in pods plus policies. */
export function prepare(world: World): PreparedWorld {
  const known = prepared.get(world);
  if (known) return known;
  const made = read(world);
  prepared.set(world, made);
  return made;
}

/** The pod of this name (`namespace/name`). Throws when there is none: a target is never guessed. */
export function podNamed({ pods }: PreparedWorld, name: string): PreparedPod {
  const pod = pods.find((each) => each.name === name);
  if (!pod) throw new Error(`there is no pod ${name}`);
  return pod;
}

/**
 * A pod on the network of the node that the other runs on: between them nothing is ever denied
 * (Kubernetes: "traffic to and from the node where a Pod is running is always allowed").
 */
export function onOwnNode(one: PreparedPod, other: PreparedPod): boolean {
  const { node } = one.pod;
  return node !== undefined && node === other.pod.node && (one.host || other.host);
}

function read(world: World): PreparedWorld {
  const engines = compile(world.policies, world.cni);
  const asked = askedBy(engines.flatMap(({ policies }) => policies));
  const known = new PodClasses(asked, world.namespaces);
  const classed = world.pods.map((pod) => ({ pod, class: known.of(pod) }));
  const siblingsOf = world.cni === "vpc" ? sharingRules(classed) : eachAlone();
  const pods = classed.map((each) => new PreparedPod(each.pod, each.class, siblingsOf(each)));
  return { pods, engines: engines.map(withLookup) };
}

/** A policy and how it matches, as one number: twice its place, and one more for maybe. */
type Code = number;

const placeOf = (code: Code) => code >> 1;

function withLookup(engine: Engine): PreparedEngine {
  const { policies } = engine;
  const lookup = new Lookup();
  for (const [at, { subject }] of policies.entries()) lookup.add(subject, at);
  const ofClass = once(({ attributes }: PodClass): readonly Code[] =>
    lookup.candidates(attributes).flatMap((at) => {
      const policy = policies[at];
      const match = policy ? holds(policy.subject, attributes) : NO;
      return match === NO ? [] : at * 2 + (match === MAYBE ? 1 : 0);
    }),
  );
  const ofSiblings = once((classes: Siblings): readonly Code[] => {
    const [only, ...more] = classes;
    if (only && more.length === 0) return ofClass(only);
    const codes = classes.flatMap(ofClass).sort((a, b) => a - b);
    // Of yes and maybe for one policy, yes comes first and counts.
    return codes.filter((code, at) => placeOf(code) !== placeOf(codes[at - 1] ?? -2));
  });
  const appliedBy = (classes: Siblings, codes: readonly Code[]): readonly Applied[] =>
    codes.flatMap((code): Applied[] => {
      const policy = policies[placeOf(code)];
      const selected = (each: PodClass) =>
        ofClass(each).some((other) => placeOf(other) === placeOf(code));
      const through = classes.length === 1 ? classes : classes.filter(selected);
      const receivers = through.map(({ ports }) => ports);
      return policy ? [{ policy, match: code % 2 === 1 ? MAYBE : YES, receivers }] : [];
    });
  const oneWay = (direction: Direction) => {
    const decides = policies.map((policy) => decidesOn(policy, direction));
    const apart = policies.map((policy) => tellsApart(policy, direction));
    const lists = new Map<string, readonly Stage[]>();
    return once((classes: Siblings): readonly Stage[] => {
      const codes = ofSiblings(classes).filter((code) => decides[placeOf(code)]);
      const differ = codes.some((code) => apart[placeOf(code)]);
      const key = `${codes.join()}|${differ ? classes.map(({ key }) => key).join() : ""}`;
      let stages = lists.get(key);
      if (!stages) {
        stages = stagesOf(appliedBy(classes, codes), direction);
        lists.set(key, stages);
      }
      return stages;
    });
  };
  const stages = { ingress: oneWay("ingress"), egress: oneWay("egress") };
  return {
    ...engine,
    applied: ({ siblings }) => appliedBy(siblings, ofSiblings(siblings)),
    stages: ({ siblings }, direction) => stages[direction](siblings),
  };
}

function decidesOn(policy: CompiledPolicy, direction: Direction): boolean {
  return policy[direction].rules.length > 0 || policy[direction].isolates;
}

/**
 * Conditions on the pod itself, and names of ports of the pod that receives, make a difference
 * between pods to which the same policies apply.
 */
function tellsApart(policy: CompiledPolicy, direction: Direction): boolean {
  return policy[direction].rules.some(
    ({ self, ports }) => self !== undefined || (direction === "ingress" && hasNames(ports)),
  );
}

/** Makes one thing for each key, an object that stays the same. */
function once<Key extends object, Out>(make: (key: Key) => Out): (key: Key) => Out {
  const made = new Map<Key, Out>();
  return (key) => {
    let value = made.get(key);
    if (value === undefined) {
      value = make(key);
      made.set(key, value);
    }
    return value;
  };
}
