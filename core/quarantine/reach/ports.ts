import type { ContainerPort } from "../../kubernetes.ts";

/** TCP, UDP and SCTP have ports. `other` is everything else (ICMP, ESP, …), told apart by nobody here. */
export const CHANNELS = ["TCP", "UDP", "SCTP", "other"] as const;
export type Channel = (typeof CHANNELS)[number];
export type Protocol = Exclude<Channel, "other">;
export const PROTOCOLS: readonly Protocol[] = ["TCP", "UDP", "SCTP"];

export const LAST_PORT = 65_535;
/** Both ends included. */
export type Range = readonly [low: number, high: number];
/** Sorted, apart from each other. */
type Ranges = readonly Range[];
export type PortSet = Readonly<Record<Channel, Ranges>>;

const FULL: Ranges = [[0, LAST_PORT]];
export const EVERY_PORT: PortSet = { TCP: FULL, UDP: FULL, SCTP: FULL, other: FULL };
export const NO_PORT: PortSet = { TCP: [], UDP: [], SCTP: [], other: [] };

export function portRange(channel: Channel, low: number, high: number): PortSet {
  return { ...NO_PORT, [channel]: [[low, high]] };
}

export function isEmpty(set: PortSet): boolean {
  return set === NO_PORT || CHANNELS.every((channel) => set[channel].length === 0);
}

export function union(a: PortSet, b: PortSet): PortSet {
  if (a === b || b === NO_PORT || a === EVERY_PORT) return a;
  if (a === NO_PORT || b === EVERY_PORT) return b;
  return each((channel) => merge([...a[channel], ...b[channel]]));
}

export function intersection(a: PortSet, b: PortSet): PortSet {
  if (a === b || b === EVERY_PORT || a === NO_PORT) return a;
  if (a === EVERY_PORT || b === NO_PORT) return b;
  return each((channel) => {
    const shared: Range[] = [];
    for (const [low, high] of a[channel]) {
      for (const [otherLow, otherHigh] of b[channel]) {
        const from = Math.max(low, otherLow);
        const to = Math.min(high, otherHigh);
        if (from <= to) shared.push([from, to]);
      }
    }
    return shared;
  });
}

export function difference(a: PortSet, b: PortSet): PortSet {
  if (a === NO_PORT || b === NO_PORT) return a;
  if (a === b || b === EVERY_PORT) return NO_PORT;
  return each((channel) => {
    let rest: Range[] = [...a[channel]];
    for (const [low, high] of b[channel]) {
      rest = rest.flatMap(([from, to]): Range[] => {
        if (to < low || high < from) return [[from, to]];
        const left: Range[] = from < low ? [[from, low - 1]] : [];
        return high < to ? [...left, [high + 1, to]] : left;
      });
    }
    return rest;
  });
}

/** True when every port of `a` is in `b`. */
export function within(a: PortSet, b: PortSet): boolean {
  return isEmpty(difference(a, b));
}

function each(of: (channel: Channel) => Ranges): PortSet {
  const set = { TCP: of("TCP"), UDP: of("UDP"), SCTP: of("SCTP"), other: of("other") };
  // The two that are common are one object each, which makes the next operation cheap.
  if (CHANNELS.every((channel) => isFull(set[channel]))) return EVERY_PORT;
  return CHANNELS.every((channel) => set[channel].length === 0) ? NO_PORT : set;
}

export function isFull(ranges: Ranges): boolean {
  return ranges.length === 1 && ranges[0]?.[0] === 0 && ranges[0][1] === LAST_PORT;
}

function merge(ranges: readonly Range[]): Ranges {
  const merged: [number, number][] = [];
  for (const [low, high] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else merged.push([low, high]);
  }
  return merged;
}

/** One entry of a rule's ports, as it is written: numbers, or the name of a container port. */
export type PortTerm = {
  readonly channels: readonly Channel[];
  /** It is some of them, and which is not told apart: ICMP among the other protocols. */
  readonly partly?: true;
} & ({ readonly low: number; readonly high: number } | { readonly name: string });

/** ICMP and the like: one of the other protocols, or some types of it. */
export const SOME_OTHER: PortTerm = { channels: ["other"], low: 0, high: LAST_PORT, partly: true };

/** The ports of a rule. */
export interface Ports {
  /** Null: on every port of every protocol. */
  readonly terms: readonly PortTerm[] | null;
  /** Ports that are taken out again (Calico). */
  readonly except?: readonly PortTerm[];
  /** Some of it was not understood: it may be any port. */
  readonly unclear: boolean;
}

export const ON_EVERY_PORT: Ports = { terms: null, unclear: false };
export const ON_UNCLEAR_PORTS: Ports = { terms: [], unclear: true };

/** The ports that surely match, and those that may. */
export interface PortMatch {
  readonly must: PortSet;
  readonly may: PortSet;
}

/**
 * A rule's ports as numbers. Names are looked up in the container ports of the pod that receives:
 * several lists when several pods share one rule set, `null` when who receives is not known, and
 * `[]` when it is known to have no container ports (an address).
 */
export function resolvePorts(
  { terms, except = [], unclear }: Ports,
  receivers: readonly (readonly ContainerPort[])[] | null,
): PortMatch {
  const wanted = terms === null ? { must: EVERY_PORT, may: EVERY_PORT } : sum(terms, receivers);
  const taken = sum(except, receivers);
  return {
    must: unclear ? NO_PORT : difference(wanted.must, taken.may),
    may: unclear ? EVERY_PORT : difference(wanted.may, taken.must),
  };
}

export function hasNames(ports: Ports): boolean {
  return namesOf(ports).length > 0;
}

/** The names of container ports that a rule mentions. */
export function namesOf({ terms, except = [] }: Ports): readonly string[] {
  return [...(terms ?? []), ...except].flatMap((term) => ("name" in term ? term.name : []));
}

function sum(
  terms: readonly PortTerm[],
  receivers: readonly (readonly ContainerPort[])[] | null,
): PortMatch {
  let must = NO_PORT;
  let may = NO_PORT;
  for (const term of terms) {
    if ("low" in term) {
      for (const channel of term.channels) {
        const range = portRange(channel, term.low, term.high);
        if (!term.partly) must = union(must, range);
        may = union(may, range);
      }
    } else if (receivers === null) {
      for (const channel of term.channels) may = union(may, portRange(channel, 0, LAST_PORT));
    } else {
      const numbers = receivers.map((ports) => numbersOf(term.name, term.channels, ports));
      may = numbers.reduce(union, may);
      if (numbers.length > 0) must = union(must, numbers.reduce(intersection));
    }
  }
  return { must, may };
}

function numbersOf(
  name: string,
  channels: readonly Channel[],
  ports: readonly ContainerPort[],
): PortSet {
  return ports
    .filter((port) => port.name === name)
    .flatMap(({ containerPort, protocol = "TCP" }) =>
      channels
        .filter((channel) => channel === protocol)
        .map((channel) => portRange(channel, containerPort, containerPort)),
    )
    .reduce(union, NO_PORT);
}

/** Short text for people. */
export function describePorts({ terms, except = [], unclear }: Ports): string {
  if (unclear) return "any port (not understood)";
  const list = (of: readonly PortTerm[]) => of.map(describeTerm).join(", ");
  const wanted = terms === null ? "any port" : list(terms);
  return except.length > 0 ? `${wanted} except ${list(except)}` : wanted;
}

function describeTerm(term: PortTerm): string {
  const protocol = term.channels.join("/");
  if ("name" in term) return `${protocol} ${term.name}`;
  if (term.low === 0 && term.high === LAST_PORT) {
    return protocol === "other" ? "other protocols" : protocol;
  }
  return `${protocol} ${term.low === term.high ? term.low : `${term.low}-${term.high}`}`;
}
