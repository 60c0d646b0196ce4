import { failureKey } from "../evidence/keys.ts";
import type { FailureRecord } from "../evidence/schemas/case.ts";
import type { Needs, StoreFor } from "../needs.ts";
import { caseOf } from "./case.ts";
import { STANDING_READS, standingOf } from "./standing.ts";

export const RECORD_FAILURE_NEEDS = {
  evidence: { writes: ["cases/*/failures/*.json"], reads: STANDING_READS },
} as const satisfies Needs;

/** An execution that ended badly, as Step Functions' status-change event tells of it. */
export type Failure = Omit<FailureRecord, "caseId" | "standing" | "recordedAt">;

/**
 * Writes the failure of an execution to its case, with how the run stands: what is done and what is
 * open. EventBridge delivers at least once and in any order, so what is kept is named by the attempt:
 * told again, the first record stays, and what is returned says how the run stands now.
 */
export async function recordFailure(
  failure: Failure,
  {
    store,
    now,
  }: { readonly store: StoreFor<typeof RECORD_FAILURE_NEEDS>; readonly now: () => Date },
): Promise<FailureRecord> {
  const { execution, attempt } = failure;
  const { id: caseId } = caseOf(execution);
  const standing = await standingOf(caseId, store);
  const record: FailureRecord = {
    ...{ caseId, ...failure, cause: plainCause(failure.cause), standing },
    recordedAt: now().toISOString(),
  };
  await store.putOnce(failureKey(caseId, execution.name, attempt), record);
  return record;
}

/** Lambda wraps what a function threw into JSON, with a stack trace behind it. */
export function plainCause(cause: string | null): string | null {
  if (cause === null) return null;
  try {
    const parsed: unknown = JSON.parse(cause);
    if (typeof parsed === "object" && parsed !== null && "errorMessage" in parsed) {
      return String(parsed.errorMessage);
    }
  } catch {
    // Not every cause is JSON.
  }
  return cause;
}
