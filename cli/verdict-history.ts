import { caseObjects } from "../adapters/aws/case-objects.ts";
import { verdictsPrefix } from "../core/evidence/keys.ts";
import type { VerdictRecord } from "../core/evidence/schemas/reverification.ts";
import { printableLine } from "../core/report/printable.ts";
import type { AwsConfig } from "./stage.ts";

/** The later looks at a case that were written down, oldest first; of a long history the last ones. */
export async function verdictHistory(
  caseId: string,
  { bucket, aws, last = 20 }: { bucket: string; aws: AwsConfig; last?: number },
): Promise<readonly VerdictRecord[]> {
  const objects = caseObjects(bucket, aws);
  const keys = (await objects.keys(verdictsPrefix(caseId))).toSorted().slice(-last);
  return Promise.all(
    keys.map(
      async (key): Promise<VerdictRecord> =>
        JSON.parse(Buffer.from(await objects.read(key)).toString("utf8")),
    ),
  );
}

/** `2026-11-22T18:00:04.000Z  partial (policyMissing)  drifted: policyMissing`, as people read it. */
export function verdictLine({
  judgedAt,
  verdict,
  reasons,
  drift,
  reapplied,
}: VerdictRecord): string {
  const codes = (marks: readonly { readonly code: string }[]) =>
    [...new Set(marks.map(({ code }) => code))].join(", ");
  const why = reasons.length > 0 ? ` (${codes(reasons)})` : "";
  const drifted = drift.length > 0 ? `  drifted: ${codes(drift)}` : "";
  const error = reapplied?.error ? ` in vain: ${printableLine(reapplied.error)}` : "";
  const putBack = reapplied ? `  put back, ${reapplied.number}${error}` : "";
  return `${judgedAt}  ${verdict}${why}${drifted}${putBack}`;
}
