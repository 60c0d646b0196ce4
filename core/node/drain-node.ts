import type { Brake } from "../brakes/brake.ts";
import { type KillSwitch, killSwitchBrake } from "../brakes/kill-switch.ts";
import type { Execution } from "../case/case.ts";
import { runOf } from "../case/case.ts";
import type { ClusterAccess, Clusters } from "../cluster/authenticate.ts";
import { TransientError } from "../errors.ts";
import { artefactKey } from "../evidence/keys.ts";
import type { Drain, DrainPlan } from "../evidence/schemas/drain.ts";
import type { Artefact } from "../evidence/store.ts";
import type { ClusterFor, Needs, StoreFor } from "../needs.ts";
import {
  DRAIN_PLAN_NEEDS,
  type DrainRequest,
  keptBy,
  makeDrainPlan,
  podsOn,
  staysBecause,
} from "./drain-plan.ts";

export const DRAIN_NODE_NEEDS = {
  kubernetes: { ...DRAIN_PLAN_NEEDS.kubernetes, evicts: true },
  clusters: ["describe"],
  evidence: {
    writes: ["runs/*/drain-plan.json", "runs/*/drain.json"],
    reads: ["runs/*/drain-plan.json", "runs/*/plan.json", "runs/*/preservation-plan.json"],
    inspects: ["open/*"],
  },
} as const satisfies Needs;

/** A budget that refuses for longer than this needs a person: `kubectl drain` waits as long. */
const DRAIN_WITHIN_MS = 600_000;

/** After so many that failed the others wait for the next look. */
const FAILURES_A_LOOK = 3;

/** So many fit well into the time of a function, whatever the size of the node group. */
const EVICTIONS_A_LOOK = 500;

type Cluster = ClusterFor<typeof DRAIN_NODE_NEEDS>;

interface Ports {
  readonly clusters: Clusters;
  readonly connect: (cluster: ClusterAccess) => Cluster;
  readonly store: StoreFor<typeof DRAIN_NODE_NEEDS>;
  readonly now: () => Date;
}

export interface DrainLook {
  readonly done: boolean;
  /** The drain's own run. */
  readonly case: { readonly id: string; readonly runId: string };
  /** When the first look began; what the next one is given. */
  readonly since: string;
  readonly artefacts: readonly Artefact[];
}

type Outcome = Drain["pods"][number];

interface DrainInput extends DrainRequest {
  readonly execution: Execution;
  /** When the first look began; null at that look. */
  readonly since: string | null;
  /** As it was read directly before this look. */
  readonly killSwitch: KillSwitch;
}

/**
 * Evicts what may leave the nodes of a contained target, once: the workflow asks again until all of it
 * has left, or for ten minutes. The plan is kept before the first eviction, and every look judges anew
 * who must stay. Evictions go through the Eviction API, so that budgets hold; what they refuse is
 * asked for again at the next look, and written down in the end.
 *
 * Where the kill switch holds at the first look, the drain is an audit; once it holds at a later one,
 * nothing more is evicted, and the drain ends with what is left.
 *
 * Errors: those of the cluster, where no eviction got through; of single pods they are the outcome.
 */
export async function drainNode(input: DrainInput, ports: Ports): Promise<DrainLook> {
  const { store, now } = ports;
  const run = runOf(input.execution, input.case.id);
  const since = input.since ?? now().toISOString();
  const kubernetes = ports.connect(await ports.clusters.describe(input.cluster));
  const { artefact, document: plan } = await planOf(run.runId, input, { kubernetes, store, now });
  const held =
    plan.brakes[0] ?? killSwitchBrake(input.killSwitch, "the evictions that were still to come");
  const pods = await evictAll(plan, held, input, { kubernetes, store });
  const withheld = pods.some(({ outcome: of }) => of === "withheld");
  const open = pods.some(({ outcome: of }) => of !== "left" && of !== "stays");
  const overdue = now().getTime() - Date.parse(since) >= DRAIN_WITHIN_MS;
  if (plan.mode !== "audit" && open && !withheld && !overdue) {
    return { done: false, case: run, since, artefacts: [] };
  }
  const { caseId, containedRunId, reason, notDrained } = plan;
  const partial = open || notDrained.length > 0;
  const stored = await store.putOnce<Drain>(artefactKey(run.runId, "drain.json"), {
    ...{ caseId, containedRunId, reason },
    endedAt: now().toISOString(),
    verdict: plan.mode === "audit" ? "audited" : partial ? "partial" : "drained",
    brakes: plan.mode === "audit" ? plan.brakes : withheld && held ? [held] : [],
    ...{ pods, notDrained },
  });
  return { done: true, case: run, since, artefacts: [artefact, stored.artefact] };
}

/** The plan that was kept, or the one that is made and kept now: it says what a repeated look does. */
async function planOf(
  runId: string,
  input: DrainInput,
  ports: {
    readonly kubernetes: Cluster;
    readonly store: Ports["store"];
    readonly now: () => Date;
  },
) {
  const key = artefactKey(runId, "drain-plan.json");
  const kept = await ports.store.read<DrainPlan>(key);
  if (kept) return kept;
  const brakes = [killSwitchBrake(input.killSwitch, "every eviction")].filter(
    (each) => each !== null,
  );
  return ports.store.putOnce<DrainPlan>(key, await makeDrainPlan(input, brakes, ports));
}

/**
 * Asks for every eviction that is still to come, unless a brake holds them, and says how far each pod
 * of the plan is.
 */
async function evictAll(
  plan: DrainPlan,
  held: Brake | null,
  request: DrainRequest,
  { kubernetes, store }: { readonly kubernetes: Cluster; readonly store: Ports["store"] },
): Promise<Outcome[]> {
  const stays = await keptBy(request, store);
  const there = new Map<string, Awaited<ReturnType<typeof podsOn>>[number]>();
  for (const { name } of plan.nodes) {
    for (const pod of await podsOn(name, kubernetes)) there.set(pod.metadata.uid ?? "", pod);
  }
  let asked = 0;
  const failures: TransientError[] = [];
  const evict = async (planned: DrainPlan["evictions"][number]): Promise<Outcome> => {
    const pod = there.get(planned.uid);
    if (!pod) return outcome(planned, "left", null);
    if (pod.metadata.deletionTimestamp !== undefined) {
      return outcome(planned, "ending", "its containers have not ended yet");
    }
    const why = staysBecause(pod, stays);
    if (why !== null) return outcome(planned, "stays", why);
    if (held !== null) return outcome(planned, "withheld", held.why);
    if (asked >= EVICTIONS_A_LOOK) return outcome(planned, "waiting", "others were evicted before");
    if (failures.length >= FAILURES_A_LOOK)
      return outcome(planned, "waiting", "others could not be evicted");
    asked += 1;
    try {
      const refusal = await kubernetes.evict(planned);
      return refusal === null
        ? outcome(planned, "ending", "it is on its way, and its containers have not ended yet")
        : outcome(planned, "refused", refusal);
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      failures.push(error);
      return outcome(planned, "waiting", error.message);
    }
  };
  const outcomes: Outcome[] = [];
  // One after the other: a budget counts what it has allowed already.
  for (const planned of plan.evictions) outcomes.push(await evict(planned));
  // One pod must not keep the others from leaving; where none gets through it is not the pod's trouble.
  const [first] = failures;
  if (first && failures.length === asked) throw first;
  return outcomes;
}

function outcome(
  { node, namespace, name, uid }: DrainPlan["evictions"][number],
  what: Outcome["outcome"],
  reason: string | null,
): Outcome {
  return { node, namespace, name, uid, outcome: what, reason };
}
