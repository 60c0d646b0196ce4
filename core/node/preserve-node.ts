import { type Brake, brake } from "../brakes/brake.ts";
import { killSwitchBrake } from "../brakes/kill-switch.ts";
import { TransientError } from "../errors.ts";
import { artefactKey } from "../evidence/keys.ts";
import type { Preservation, PreservationPlanArtefact } from "../evidence/schemas/preservation.ts";
import type { Artefact } from "../evidence/store.ts";
import type { Pod } from "../kubernetes.ts";
import type { ClusterFor, Needs, StoreFor } from "../needs.ts";
import { describeTarget } from "../target/target.ts";
import type { Instances } from "./instances.ts";
import { handedOn, messageOf, type NotPreserved } from "./not-preserved.ts";
import {
  changeTo,
  type PreservationPlan,
  type PreservationSettings,
  type ProtectionStep,
  planPreservation,
  type SeenInstance,
  type SeenNode,
  wasSo,
} from "./preservation-plan.ts";
import { machineOf } from "./provider-id.ts";
import { byNode, targetPods, type UnderTarget } from "./target-pods.ts";

export const PRESERVE_NODE_NEEDS = {
  kubernetes: { reads: ["pod", "podPages", "node"], patches: ["Pod", "Node"] },
  evidence: {
    writes: ["runs/*/preservation-plan.json", "runs/*/preservation.json"],
    reads: ["runs/*/preservation-plan.json"],
  },
  instances: [
    "lifecycleOf",
    "isProtectedFromTermination",
    "groupOf",
    "protectFromTermination",
    "protectFromScaleIn",
  ],
} as const satisfies Needs;

type Cluster = ClusterFor<typeof PRESERVE_NODE_NEEDS>;

/** Attempts after which what still cannot be reached counts as not to be had. */
const PATIENCE = 3;

/** What became of one protection. */
export interface Protected {
  readonly protection: ProtectionStep["protection"];
  /** The node, the pod or the instance. */
  readonly of: string;
  readonly outcome: "done" | "alreadySo" | "couldNot";
  /** Null unless it could not be given. */
  readonly reason: string | null;
}

/** `audited`: nothing was written. */
export type PreservationVerdict = "preserved" | "partial" | "notPreserved" | "audited";

interface Ports {
  readonly kubernetes: Cluster;
  readonly instances: Instances;
  readonly store: StoreFor<typeof PRESERVE_NODE_NEEDS>;
  readonly settings: PreservationSettings;
  readonly now: () => Date;
}

/**
 * Keeps the nodes under the target alive: cordoned with the reason, and protected from the
 * autoscalers, from scaling in and from being terminated. Never drains. The plan with all prior
 * values is kept before the first write, so a run that is repeated goes on from the first look and
 * not from its own traces. What is refused is written down and costs none of the rest; what is
 * unreachable is tried again by the workflow, and written down in the end.
 */
export async function preserveNode(
  input: UnderTarget,
  ports: Ports,
): Promise<{
  readonly verdict: PreservationVerdict;
  readonly notPreserved: readonly NotPreserved[];
  readonly brakes: readonly Brake[];
  readonly artefacts: readonly Artefact[];
}> {
  const { store, now } = ports;
  const { mode, brakes } = brake({ mode: input.mode, brakes: [] }, [
    killSwitchBrake(input.killSwitch, "protection of the nodes, instances and pods"),
  ]);
  const { runId } = input.case;
  const patient = input.attempt < PATIENCE;
  const planKey = artefactKey(runId, "preservation-plan.json");
  const kept =
    (await store.read<PreservationPlan>(planKey)) ??
    (await store.putOnce<PreservationPlanArtefact>(
      planKey,
      await makePlan({ ...input, mode }, patient, ports),
    ));
  const plan = kept.document;
  if (plan.mode === "audit") {
    const notPreserved = handedOn(plan.notPreserved, "preservation-plan.json");
    return { verdict: "audited", notPreserved, brakes, artefacts: [kept.artefact] };
  }
  const results = await carryOutAll(plan.steps, patient, ports);
  const notPreserved = [
    ...plan.notPreserved,
    ...results.flatMap(({ protection, of, reason }) =>
      reason === null ? [] : [{ what: `${IN_WORDS[protection]} of ${of}`, reason }],
    ),
  ];
  const stored = await store.putOnce<Preservation>(artefactKey(runId, "preservation.json"), {
    caseId: plan.caseId,
    preservedAt: now().toISOString(),
    verdict: verdictOf(results, notPreserved),
    notPreserved,
    results,
  });
  return {
    verdict: stored.document.verdict,
    notPreserved: handedOn(stored.document.notPreserved, "preservation.json"),
    brakes: [],
    artefacts: [kept.artefact, stored.artefact],
  };
}

const IN_WORDS: Readonly<Record<ProtectionStep["protection"], string>> = {
  cordon: "cordon",
  keepNode: "protection from consolidation",
  keepPod: "protection from eviction",
  scaleIn: "protection from scale-in",
  termination: "termination protection",
};

function verdictOf(
  results: readonly Protected[],
  notPreserved: readonly NotPreserved[],
): PreservationVerdict {
  if (!results.some(({ outcome }) => outcome !== "couldNot")) return "notPreserved";
  return notPreserved.length === 0 ? "preserved" : "partial";
}

async function makePlan(
  input: UnderTarget,
  patient: boolean,
  { kubernetes, instances, settings, now }: Ports,
): Promise<PreservationPlan> {
  const { target, mode } = input;
  const pods = await targetPods(target, input.uid, kubernetes);
  const notPreserved: NotPreserved[] = [];
  if (pods.length === 0) {
    notPreserved.push({ what: describeTarget(target), reason: "no pod of it is there any more" });
  }
  const nodes: SeenNode[] = [];
  for (const [name, onNode] of byNode(pods)) {
    const seen = await seenNode(name, onNode);
    if (seen) nodes.push(seen);
  }
  const plannedAt = now().toISOString();
  const common = { caseId: input.case.id, mode, target, plannedAt, settings };
  return planPreservation({ ...common, nodes, notPreserved });

  async function seenNode(name: string, onNode: readonly Pod[]): Promise<SeenNode | null> {
    if (name === "") {
      const what = onNode.map(({ metadata }) => metadata.name).join(", ");
      notPreserved.push({ what, reason: "not scheduled to a node" });
      return null;
    }
    const node = await kubernetes.node(name);
    if (!node) {
      notPreserved.push({ what: name, reason: "the node is gone from the cluster" });
      return null;
    }
    return { node, pods: onNode, instance: await seenInstance(name, node.spec.providerID) };
  }

  async function seenInstance(name: string, providerId: string | undefined) {
    const machine = machineOf(providerId);
    if (machine.kind === "none") {
      notPreserved.push({ what: name, reason: machine.reason });
      return null;
    }
    if (!settings.protect) return null;
    const { instanceId } = machine;
    const lifecycle = await look(instanceId, () => instances.lifecycleOf(instanceId));
    if (lifecycle === null) {
      notPreserved.push({ what: name, reason: `EC2 knows no running instance ${instanceId}` });
    }
    if (!lifecycle) return null;
    const membership = await look(`Auto Scaling group of ${instanceId}`, () =>
      instances.groupOf(instanceId),
    );
    const terminationProtected = await look(`termination protection of ${instanceId}`, () =>
      instances.isProtectedFromTermination(instanceId),
    );
    const seen: SeenInstance = {
      ...{ instanceId, spot: lifecycle === "spot" },
      membership: membership ?? null,
      terminationProtected: terminationProtected ?? null,
    };
    return seen;
  }

  /** Undefined for what could not be looked at, which is written down. */
  async function look<T>(what: string, ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof TransientError && patient) throw error;
      notPreserved.push({ what, reason: messageOf(error) });
      return undefined;
    }
  }
}

/** Each step, whatever becomes of the others. Throws what may still heal, once all were tried. */
async function carryOutAll(
  steps: readonly ProtectionStep[],
  patient: boolean,
  ports: Pick<Ports, "kubernetes" | "instances">,
): Promise<readonly Protected[]> {
  const results: Protected[] = [];
  let mayHeal: TransientError | null = null;
  for (const step of steps) {
    const named = {
      protection: step.protection,
      of: "object" in step ? step.object.name : step.instanceId,
    };
    try {
      await carryOut(step, ports);
      results.push({ ...named, outcome: wasSo(step) ? "alreadySo" : "done", reason: null });
    } catch (error) {
      if (error instanceof TransientError) mayHeal ??= error;
      results.push({ ...named, outcome: "couldNot", reason: messageOf(error) });
    }
  }
  if (mayHeal && patient) throw mayHeal;
  return results;
}

/** Gives one protection, unless it is there already. */
async function carryOut(
  step: ProtectionStep,
  { kubernetes, instances }: Pick<Ports, "kubernetes" | "instances">,
): Promise<void> {
  if (step.protection === "termination") {
    if (await instances.isProtectedFromTermination(step.instanceId)) return;
    return instances.protectFromTermination(step.instanceId);
  }
  if (step.protection === "scaleIn") {
    const membership = await instances.groupOf(step.instanceId);
    if (!membership) throw new Error("the instance left its Auto Scaling group meanwhile");
    if (membership.protectedFromScaleIn) return;
    return instances.protectFromScaleIn(membership.group, step.instanceId);
  }
  if (!("object" in step)) return;
  const { namespace, name, uid, kind } = step.object;
  const there =
    kind === "Node" ? await kubernetes.node(name) : await kubernetes.pod(namespace ?? "", name);
  const patch = there?.metadata.uid === uid ? changeTo(step.set, there) : null;
  if (patch?.length === 0) return;
  if (patch === null || !(await kubernetes.patch(step.object, patch))) {
    throw new Error(`${kind} ${name} is gone, or another one has its name`);
  }
}
