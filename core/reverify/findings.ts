import type { Cni } from "../cluster/network.ts";
import type { Preservation, PreservationPlanArtefact } from "../evidence/schemas/preservation.ts";
import { CALICO_AGENT, type Kubernetes, type Pod, SYSTEM_NAMESPACE } from "../kubernetes.ts";
import { changeTo, type ObjectStep } from "../node/preservation-plan.ts";
import { selects } from "../quarantine/selector.ts";
import type { ProvenTarget } from "../target/prove.ts";

/**
 * What can change around a contained target and lets no packet pass: every code with what it means,
 * as docs/verdicts.md prints them. Codes are an interface, as those of reasons are.
 */
export const FINDINGS = {
  podReplaced: "A pod of the same name runs in the place of the target, and is not contained.",
  ownedAgain: "A controller took the pod back: it may delete it, and counts it among its own.",
  serviceSelects: "A Service selects the pod again.",
  agentReplaced:
    "The CNI's agent on the pod's node is another one than at the last look: it was restarted.",
  nodeGone: "A node that was kept for forensics is no longer in the cluster.",
  nodeUncordoned: "A node that was cordoned takes pods again.",
  protectionLost: "An autoscaler may take a node or pod away that it was kept from.",
} as const;
export type FindingCode = keyof typeof FINDINGS;

export interface Finding {
  readonly code: FindingCode;
  readonly message: string;
}

/** The pod that is the target, and the one that bears its name in its place. */
export interface SeenTarget {
  readonly pod: Pod | null;
  readonly successor: Pod | null;
}

/** Controllers that let go of a pod whose labels they no longer select, and take it by its labels. */
const BY_LABELS = ["ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Job"];

export async function podFindings(
  { namespace }: ProvenTarget,
  { pod, successor }: SeenTarget,
  kubernetes: Pick<Kubernetes, "services">,
): Promise<readonly Finding[]> {
  if (!pod) {
    if (!successor) return [];
    const { name, uid } = successor.metadata;
    return [
      { code: "podReplaced", message: `pod ${namespace}/${name} is another one now: ${uid}` },
    ];
  }
  const { labels = {}, ownerReferences = [] } = pod.metadata;
  const owners = ownerReferences.filter(
    ({ kind, controller }) => controller === true && BY_LABELS.includes(kind),
  );
  const { items } = await kubernetes.services(namespace);
  const services = items.filter(
    ({ spec: { selector = {} } }) =>
      Object.keys(selector).length > 0 && selects({ matchLabels: selector }, labels),
  );
  return [
    ...owners.map(({ kind, name }): Finding => {
      return { code: "ownedAgain", message: `${kind} ${namespace}/${name} controls the pod` };
    }),
    ...services.map(({ metadata: { name } }): Finding => {
      return { code: "serviceSelects", message: `Service ${namespace}/${name} selects the pod` };
    }),
  ];
}

/** The agent of each CNI: a DaemonSet of this name, in this namespace or in Calico's own. */
const AGENTS: Readonly<Record<Cni, string>> = {
  vpc: "aws-node",
  cilium: "cilium",
  calico: CALICO_AGENT.name,
};

/**
 * UID of the pod that is the CNI's agent on a node; null where there is none. An agent that is part
 * of the node, as on EKS Auto Mode, has no pod: `undefined`, as for a CNI that is not known.
 */
export async function agentOn(
  node: string,
  cni: Cni | null,
  kubernetes: Pick<Kubernetes, "podsOnNode" | "systemDaemonSets" | "calicoAgent">,
): Promise<string | null | undefined> {
  if (cni === null) return undefined;
  const isAgent = ({ namespace = "", ownerReferences = [] }: Pod["metadata"]) =>
    [SYSTEM_NAMESPACE, CALICO_AGENT.namespace].includes(namespace) &&
    ownerReferences.some(({ kind, name }) => kind === "DaemonSet" && name === AGENTS[cni]);
  for await (const page of kubernetes.podsOnNode(node)) {
    const agent = page.find(
      ({ metadata }) => isAgent(metadata) && metadata.deletionTimestamp === undefined,
    );
    if (agent) return agent.metadata.uid ?? null;
  }
  const [system, calico] = await Promise.all([
    kubernetes.systemDaemonSets(),
    kubernetes.calicoAgent(),
  ]);
  const named = [...system, ...(calico ? [calico] : [])].some(
    ({ metadata }) => metadata.name === AGENTS[cni],
  );
  return named ? null : undefined;
}

/**
 * What is left of the protections that the run gave to nodes, and to the pod where that is the
 * target: in a namespace pods come and go. Instances are not looked at.
 */
export async function preservationFindings(
  plan: PreservationPlanArtefact,
  given: Preservation,
  { pod }: SeenTarget,
  kubernetes: Pick<Kubernetes, "node">,
): Promise<readonly Finding[]> {
  const steps = plan.steps.filter((step): step is ObjectStep => "object" in step);
  const wasGiven = ({ protection, object }: ObjectStep) =>
    given.results.some(
      (each) =>
        each.protection === protection && each.of === object.name && each.outcome !== "couldNot",
    );
  const byObject = Map.groupBy(steps.filter(wasGiven), ({ object }) => object.uid);
  const findings: Finding[] = [];
  for (const [uid, ofObject] of byObject) {
    const [{ object } = { object: null }] = ofObject;
    if (object === null || (object.kind === "Pod" && pod?.metadata.uid !== uid)) continue;
    const there = object.kind === "Pod" ? pod : await kubernetes.node(object.name);
    if (there?.metadata.uid !== uid) {
      findings.push({ code: "nodeGone", message: `node ${object.name} is gone` });
      continue;
    }
    for (const { protection, set } of ofObject) {
      // Whose case holds the node changes when another one takes it over; that it is held must not.
      const kept = protection === "cordon" ? { ...set, annotations: {} } : set;
      if (changeTo(kept, there).length === 0) continue;
      const what = `${object.kind === "Pod" ? "pod" : "node"} ${object.name}`;
      findings.push(
        protection === "cordon"
          ? { code: "nodeUncordoned", message: `${what} takes pods again` }
          : { code: "protectionLost", message: `${what} is no longer kept from autoscalers` },
      );
    }
  }
  return findings;
}
