import type { CaseRef } from "../case/case.ts";
import { artefactKey } from "../evidence/keys.ts";
import type { MissingEvidence } from "../evidence/manifest.ts";
import { redact } from "../evidence/redact.ts";
import type { Artefact } from "../evidence/store.ts";
import type { Needs, StoreFor } from "../needs.ts";

export const RECORD_CONTEXT_NEEDS = {
  evidence: { writes: ["runs/*/aws-context.json"] },
} as const satisfies Needs;

/** What the workflow asked of AWS, reduced there to the fields that are kept. */
export interface AwsAnswers {
  /** CloudTrail's newest events of the last day, by whom or what they are about. */
  readonly trail: readonly unknown[];
  /** GuardDuty's newest findings of the last week. */
  readonly findings: readonly unknown[];
  /** The instance profile of the node, with its roles. */
  readonly nodeProfile: unknown;
  /** Lines of the control plane's audit log about the pod or by its service account. */
  readonly auditLog: unknown;
  readonly missing: readonly MissingEvidence[];
}

/** Said in the artefact, so that nobody takes silence for innocence. */
const NOT_SEEN = [
  "CloudTrail tells of an event about five minutes after it happened, GuardDuty of a finding up to " +
    "fifteen: what the attacker did just before the alert may be missing",
  "only the newest events and findings are kept: CloudTrail, GuardDuty and the audit log have the rest",
];

/** Writes down what AWS knows of the cluster, the node and the role. */
export async function recordContext(
  input: { readonly case: CaseRef; readonly aws: AwsAnswers },
  {
    store,
    now,
  }: { readonly store: StoreFor<typeof RECORD_CONTEXT_NEEDS>; readonly now: () => Date },
): Promise<{ readonly artefacts: readonly Artefact[] }> {
  const { artefact } = await store.putOnce(
    artefactKey(input.case.runId, "aws-context.json"),
    redact({ capturedAt: now().toISOString(), notSeen: NOT_SEEN, ...input.aws }),
  );
  return { artefacts: [artefact] };
}
