import type { ContainerPort, Labels } from "../../kubernetes.ts";
import {
  type Attributes,
  type LabelExpression,
  NAMESPACE,
  namespaceLabel,
  SERVICE_ACCOUNT,
} from "./label-expression.ts";
import type { CompiledPolicy, WorldPod } from "./model.ts";
import type { PeerTerm } from "./peers.ts";
import { namesOf } from "./ports.ts";

/** Pods that no policy can tell apart but by their addresses. */
export class PodClass {
  readonly key: number;
  readonly attributes: Attributes;
  /** Those that some policy calls by their name. */
  readonly ports: readonly ContainerPort[];
  readonly host: boolean;
  /** The list of nothing but this class: the same object each time. */
  readonly alone: readonly PodClass[] = [this];

  constructor(
    key: number,
    attributes: Attributes,
    { ports, host }: { readonly ports: readonly ContainerPort[]; readonly host: boolean },
  ) {
    this.key = key;
    this.attributes = attributes;
    this.ports = ports;
    this.host = host;
  }
}

/** What some policy asks about pods: nothing else tells them apart. */
export interface Asked {
  /** Keys of attributes. */
  readonly keys: ReadonlySet<string>;
  /** Names of container ports. */
  readonly ports: ReadonlySet<string>;
}

export function askedBy(policies: readonly CompiledPolicy[]): Asked {
  const keys = new Set<string>();
  const ports = new Set<string>();
  const ofPods = (where: LabelExpression): void => {
    if (where.is === "and" || where.is === "or") where.of.forEach(ofPods);
    else if (where.is === "not") ofPods(where.of);
    else if ("key" in where) keys.add(where.key);
  };
  const ofPeer = (where: PeerTerm): void => {
    if (where.is === "and" || where.is === "or") where.of.forEach(ofPeer);
    else if (where.is === "not") ofPeer(where.of);
    else if (where.is === "pods") ofPods(where.where);
  };
  for (const { subject, ingress, egress } of policies) {
    ofPods(subject);
    for (const rule of [...ingress.rules, ...egress.rules]) {
      for (const { where } of rule.peers) ofPeer(where);
      if (rule.self) ofPeer(rule.self);
      for (const name of namesOf(rule.ports)) ports.add(name);
    }
  }
  return { keys, ports };
}

/** The labels of a pod, over what it shares with the pods of its namespace and service account. */
class PodAttributes implements Attributes {
  readonly #labels: Labels;
  readonly #shared: ReadonlyMap<string, string>;

  constructor(labels: Labels, shared: ReadonlyMap<string, string>) {
    this.#labels = labels;
    this.#shared = shared;
  }

  get(key: string): string | undefined {
    // Own properties only: a policy may well ask for the label "constructor".
    return Object.hasOwn(this.#labels, key) ? this.#labels[key] : this.#shared.get(key);
  }
}

/** The pods of one namespace and, where it matters, one service account. */
interface Home {
  readonly shared: ReadonlyMap<string, string>;
  readonly classes: Map<string, PodClass>;
}

/**
 * Sorts pods into classes by what is asked about them. Labels that nobody asks for, as
 * `pod-template-hash` and the names in a StatefulSet, would make a class of every pod.
 */
export class PodClasses {
  readonly #asked: Asked;
  readonly #namespaces: Readonly<Record<string, Labels>>;
  readonly #homes = new Map<string, Home>();
  #count = 0;

  constructor(asked: Asked, namespaces: Readonly<Record<string, Labels>>) {
    this.#asked = asked;
    this.#namespaces = namespaces;
  }

  of(pod: WorldPod): PodClass {
    const { labels, hostNetwork } = pod;
    const home = this.#homeOf(pod);
    const ports = this.#portsOf(pod);
    // No key, value or name of these has a line break, and the API server sends labels by their keys.
    let signature = hostNetwork ? "host" : "";
    for (const key of Object.keys(labels)) {
      if (this.#asked.keys.has(key)) signature += `\n${key}\n${labels[key]}`;
    }
    for (const { name, protocol, containerPort } of ports) {
      signature += `\n:${name}\n${protocol}\n${containerPort}`;
    }
    let found = home.classes.get(signature);
    if (!found) {
      const attributes = new PodAttributes(labels, home.shared);
      found = new PodClass(this.#count, attributes, { ports, host: hostNetwork });
      this.#count += 1;
      home.classes.set(signature, found);
    }
    return found;
  }

  #portsOf({ ports }: WorldPod): readonly ContainerPort[] {
    const asked = this.#asked.ports;
    const matters = ({ name }: ContainerPort) => name !== undefined && asked.has(name);
    return ports.every(matters) ? ports : ports.filter(matters);
  }

  #homeOf({ namespace, serviceAccountName }: WorldPod): Home {
    const account = this.#asked.keys.has(SERVICE_ACCOUNT) ? serviceAccountName : undefined;
    const key = account === undefined ? namespace : `${namespace}\n${account}`;
    let home = this.#homes.get(key);
    if (!home) {
      const all = this.#namespaces;
      const labels = Object.hasOwn(all, namespace) ? (all[namespace] ?? {}) : {};
      const shared = new Map(
        Object.entries(labels).map(([label, value]) => [namespaceLabel(label), value]),
      );
      shared.set(NAMESPACE, namespace);
      if (account !== undefined && account !== "") shared.set(SERVICE_ACCOUNT, account);
      home = { shared, classes: new Map() };
      this.#homes.set(key, home);
    }
    return home;
  }
}
