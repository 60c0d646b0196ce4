import { podIdentifier } from "../vpc-cni/identifier.ts";
import type { WorldPod } from "./model.ts";
import type { PodClass } from "./pod-class.ts";

/**
 * The classes of the pods whose policies count for a pod, its own among them; none for a pod on the
 * host's network, to which no policy applies. Mostly the same object for pods that share them.
 */
export type Siblings = readonly PodClass[];

interface ClassedPod {
  readonly pod: WorldPod;
  readonly class: PodClass;
}

const NOBODY: Siblings = [];

/** Each pod by itself. */
export function eachAlone(): (pod: ClassedPod) => Siblings {
  return ({ class: { host, alone } }) => (host ? NOBODY : alone);
}

/**
 * On the AWS VPC CNI pods of one identifier on one node share their rules: what any of them is
 * selected by counts for all (`identifier.ts`). A pod whose node is not known may be on any.
 */
export function sharingRules(pods: readonly ClassedPod[]): (pod: ClassedPod) => Siblings {
  const groups = new Map<string, Map<string | undefined, Siblings>>();
  for (const { pod, class: own } of pods) {
    if (own.host) continue;
    const group = groupOf(pod);
    let nodes = groups.get(group);
    if (!nodes) {
      nodes = new Map();
      groups.set(group, nodes);
    }
    nodes.set(pod.node, joined(nodes.get(pod.node), own.alone));
  }
  for (const nodes of groups.values()) {
    const anywhere = nodes.get(undefined);
    if (!anywhere) continue;
    const all = [...nodes.values()].reduce(joined);
    for (const [node, there] of nodes) {
      nodes.set(node, node === undefined ? all : joined(there, anywhere));
    }
  }
  return ({ pod, class: { host } }) =>
    host ? NOBODY : (groups.get(groupOf(pod))?.get(pod.node) ?? NOBODY);
}

function groupOf({ namespace, name }: WorldPod): string {
  return `${namespace}/${podIdentifier(name)}`;
}

/** Without a new list where the first has them all. */
function joined(some: Siblings | undefined, more: Siblings): Siblings {
  if (!some) return more;
  const missing = more.filter((each) => !some.includes(each));
  return missing.length === 0 ? some : [...some, ...missing];
}
