import type { Execution } from "../case/case.ts";
import { PermanentError } from "../errors.ts";
import { artefactKey, reapplicationKey } from "../evidence/keys.ts";
import type { OpenMarker } from "../evidence/schemas/case.ts";
import type { Reapplication } from "../evidence/schemas/reverification.ts";
import type { ClusterFor, Needs, StoreFor } from "../needs.ts";
import { type CarriedOut, carryOut } from "../quarantine/carry-out.ts";
import type { Completion } from "../quarantine/complete-policy.ts";
import type { Plan } from "../quarantine/plan.ts";
import { mendingSteps } from "./mend.ts";

export const REAPPLY_POLICY_NEEDS = {
  kubernetes: {
    reads: ["namespace"],
    patches: ["Pod", "NetworkPolicy", "ApplicationNetworkPolicy"],
    makes: [
      ...["NetworkPolicy", "ClusterNetworkPolicy", "CiliumNetworkPolicy", "GlobalNetworkPolicy"],
    ],
  },
  evidence: {
    writes: ["cases/*/reapplications/*.json"],
    reads: ["open/*", "runs/*/plan.json", "runs/*/completion.json"],
  },
} as const satisfies Needs;

/**
 * Puts the quarantine of an open case back by the plan of its own run, and writes down what it
 * wrote. Nothing is planned anew: what the plan says how to undo stays true. Made again a write
 * changes nothing that is as it should be, so a repeated run is harmless. Does nothing in a case
 * that was released meanwhile, or in a namespace that is another one now.
 *
 * Errors: `PolicyNameTaken`, and those of the cluster.
 */
export async function reapplyPolicy(
  input: {
    readonly marker: string;
    /** Which one of the case it is, 1 at first. */
    readonly number: number;
    readonly execution: Execution;
  },
  ports: {
    readonly kubernetes: ClusterFor<typeof REAPPLY_POLICY_NEEDS>;
    readonly store: StoreFor<typeof REAPPLY_POLICY_NEEDS>;
    readonly now: () => Date;
  },
): Promise<{ readonly number: number; readonly error: string | null }> {
  const { store, kubernetes, now } = ports;
  const { number, execution } = input;
  const marker = await store.read<OpenMarker>(input.marker);
  if (!marker) return { number, error: "the case was released meanwhile" };
  const { case: ref } = marker.document;
  const kept = await store.read<Plan>(artefactKey(ref.runId, "plan.json"));
  const completion = await store.read<Completion>(artefactKey(ref.runId, "completion.json"));
  if (!kept) {
    const message = `plan.json of run ${ref.runId} is gone: nothing can be put back by it`;
    throw new PermanentError("EvidenceAltered", message);
  }
  const plan = kept.document;
  const { target } = plan;
  if (target.kind === "namespace") {
    const namespace = await kubernetes.namespace(target.namespace);
    if (namespace?.metadata.uid !== target.uid) {
      return { number, error: `namespace ${target.namespace} is gone, or another one` };
    }
  }
  const carriedOut: CarriedOut[] = [];
  for (const step of mendingSteps(plan, completion?.document ?? null)) {
    carriedOut.push(await carryOut(step, plan.caseId, kubernetes));
  }
  await store.putOnce<Reapplication>(reapplicationKey(ref.id, number), {
    ...{ case: ref, number, execution },
    ...{ reappliedAt: now().toISOString(), carriedOut },
  });
  return { number, error: null };
}
