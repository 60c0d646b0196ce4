/**
 * A quarantine without the workflow: the states' own functions, one after the other, each on the
 * cluster as its own rights show it, with evidence in memory.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { kubernetesApi } from "../adapters/kubernetes/api.ts";
import { httpsTransport } from "../adapters/kubernetes/transport.ts";
import { within } from "../adapters/within.ts";
import type { Severity } from "../core/alert/alert.ts";
import type { CaseRef } from "../core/case/case.ts";
import { planPermissions } from "../core/cluster/authenticate.ts";
import { networkFacts, observeNetwork } from "../core/cluster/network.ts";
import type { EvidenceStore } from "../core/evidence/store.ts";
import type { Kubernetes } from "../core/kubernetes.ts";
import { applyPolicy } from "../core/quarantine/apply-policy.ts";
import { completePolicy, type Progress } from "../core/quarantine/complete-policy.ts";

import type { Plan } from "../core/quarantine/plan.ts";
import type { QuarantineSettings } from "../core/quarantine/settings.ts";
import { snapshotAfter } from "../core/quarantine/snapshot-after.ts";
import type { Step } from "../core/quarantine/steps.ts";
import type { Verdict } from "../core/quarantine/verdict.ts";
import { snapshotBefore } from "../core/target/snapshot-before.ts";
import type { Target } from "../core/target/target.ts";
import type { ClusterState } from "../functions/needs.ts";
import type { ResponderAccess } from "../local/responder.ts";
import { waitFor } from "../local/wait.ts";
import { settingsFor } from "../stages.ts";
import { PROTECTED_LABELS, RELEASED, UNBRAKED } from "./memory/brakes.ts";
import { memoryStore } from "./memory/evidence-store.ts";

const limitMs = 60_000;

export interface Options {
  readonly severity?: Severity;
  readonly audit?: boolean;
  readonly settings?: Partial<QuarantineSettings>;
  /** What happens to the cluster between the last write and the reading back. */
  readonly meanwhile?: (plan: Plan) => Promise<void>;
  /** True: no phase is waited for; its bound is taken to have passed. */
  readonly impatient?: boolean;
  /** The run whose states run again; left out: a run of its own. */
  readonly redriven?: RunOf;
}

/** The cluster as the function of a state may use it. */
export type As = (state: ClusterState) => Kubernetes;

export function asStates({ access, tokens }: ResponderAccess): As {
  const connections = new Map<ClusterState, Kubernetes>();
  return (state) => {
    const made =
      connections.get(state) ?? kubernetesApi(httpsTransport(access, async () => tokens[state]));
    connections.set(state, made);
    return made;
  };
}

/** What a run is known by, and what it remembers. */
interface RunOf {
  readonly case: CaseRef;
  readonly store: EvidenceStore;
}

function newRun(): RunOf {
  const id = `c-${randomUUID().slice(0, 10)}`;
  return { case: { id, runId: `run-${randomUUID()}` }, store: memoryStore() };
}

/** Contains a pod, or a namespace where `pod` is null, and judges what came of it. */
export async function quarantine(
  as: As,
  { namespace, pod }: { readonly namespace: string; readonly pod: string | null },
  options: Options = {},
) {
  const { severity = "low", audit = false, settings = {}, meanwhile, impatient = false } = options;
  const { case: ref, store } = options.redriven ?? newRun();
  let ahead = 0;
  const now = () => new Date(Date.now() + ahead);
  const authenticate = as("Authenticate");
  const network = networkFacts(await observeNetwork(authenticate, "ipv4"));
  const missing = await authenticate.missing(planPermissions(network), namespace);
  if (missing.length > 0) throw new Error(`rbac.yaml lacks ${JSON.stringify(missing)}`);
  const common = { cluster: "tests", namespace, uid: null };
  const target: Target =
    pod === null
      ? { ...common, kind: "namespace", name: namespace }
      : { ...common, kind: "pod", name: pod, containerId: null };
  const before = { kubernetes: as("SnapshotBefore"), store, within, now };
  const evidenceUntil = new Date(Date.now() + limitMs).toISOString();
  await snapshotBefore({ case: ref, target, network, evidenceUntil }, before);
  const applied = await applyPolicy(
    {
      case: ref,
      execution: { arn: ref.runId, name: ref.runId, startedAt: now().toISOString() },
      alert: { detectedAt: now().toISOString(), severity },
      target,
      mode: audit ? "audit" : "containment",
      network,
      ...UNBRAKED,
    },
    {
      kubernetes: as("ApplyPolicy"),
      store,
      now,
      settings: { ...settingsFor("local").quarantine, ...settings },
      protectedLabels: PROTECTED_LABELS,
    },
  );
  if (applied.outcome === "refused" || applied.outcome === "joined")
    throw new Error(applied.reason);
  let progress: Progress | null = null;
  for (let done = applied.outcome !== "applied" || !applied.pending; !done; ) {
    const ports = { kubernetes: as("CompletePolicy"), store, now };
    const look = await completePolicy({ case: ref, progress, killSwitch: RELEASED }, ports);
    ({ done, progress } = look);
    if (impatient) ahead += 700_000;
    else await delay(done ? 0 : 1_000);
  }
  const kept = async <T>(name: string): Promise<T> => {
    const found = await store.read<T>(`runs/${ref.runId}/${name}`);
    if (!found) throw new Error(`no ${name}`);
    return found.document;
  };
  const plan = await kept<Plan>("plan.json");
  await meanwhile?.(plan);
  const judged = await waitFor({ what: "a settled verdict", limitMs }, async () => {
    try {
      return await snapshotAfter({ case: ref }, { kubernetes: as("SnapshotAfter"), store, now });
    } catch (error) {
      if (error instanceof Error && error.name === "TargetNotSettled") return undefined;
      throw error;
    }
  });
  const codes = [...new Set(judged.reasons.map(({ code }) => code))].toSorted();
  const after = await kept<{ readonly judged: Verdict }>("after.json");
  /** The policies that the verdict says still allow something. */
  const allowing = after.judged.reasons
    .filter(({ code }) => code === "otherPolicyAllows")
    .flatMap(({ policies = [] }) => policies);
  return { ...judged, codes, allowing, plan, case: ref, store };
}

/** Undoes a step as its plan says, with the rights of the states that make such writes. */
export async function undo({ write, undo }: Step, as: As): Promise<void> {
  if (undo.action === "patch") {
    if (!(await as("ApplyPolicy").patch(undo.object, undo.patch))) {
      throw new Error(`${undo.object.kind} ${undo.object.name} is gone`);
    }
  }
  if (undo.action === "delete" && write.action === "create") {
    const { apiVersion } = write.object;
    const kubernetes = as("CompletePolicy");
    const uid = (await kubernetes.existing(write.object))?.metadata.uid;
    if (uid === undefined) throw new Error(`${undo.kind} ${undo.name} is gone`);
    const { kind, namespace, name } = undo;
    await kubernetes.delete({ apiVersion, kind, namespace, name, uid });
  }
}
