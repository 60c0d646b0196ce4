import type { CaseRef, Execution } from "../case/case.ts";
import { artefactKey } from "../evidence/keys.ts";
import { sealRun } from "../evidence/record-run.ts";
import type { Drain } from "../evidence/schemas/drain.ts";
import type { Artefact } from "../evidence/store.ts";
import type { Needs, StoreFor } from "../needs.ts";

export const RECORD_DRAIN_NEEDS = {
  evidence: {
    writes: ["runs/*/manifest.json", "cases/*/runs/*.json"],
    inspects: ["runs/*", "cases/*/runs/*"],
    reads: ["runs/*/manifest.json", "runs/*/drain.json", "cases/*/runs/*.json"],
  },
} as const satisfies Needs;

/**
 * Ends a drain: seals what it wrote into a manifest that is chained to the case's previous run.
 *
 * Errors: `EvidenceAltered` when the store and DrainNode disagree.
 */
export async function recordDrain(
  input: {
    readonly case: CaseRef;
    readonly execution: Execution;
    readonly artefacts: readonly Artefact[];
  },
  ports: {
    readonly store: StoreFor<typeof RECORD_DRAIN_NEEDS>;
    readonly productVersion: string;
    readonly now: () => Date;
  },
): Promise<{
  readonly case: CaseRef;
  readonly verdict: Drain["verdict"];
  readonly manifest: Artefact;
}> {
  const { artefacts, ...run } = input;
  const { manifest } = await sealRun({ ...run, missing: [] }, async () => artefacts, ports);
  const drain = await ports.store.read<Drain>(artefactKey(run.case.runId, "drain.json"));
  return { case: run.case, verdict: drain?.document.verdict ?? "partial", manifest };
}
