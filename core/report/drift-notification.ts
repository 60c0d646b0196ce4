import { REAPPLIES_AT_MOST } from "../reverify/mend.ts";
import type { CaseLook } from "../reverify/reverify-case.ts";
import { describeTarget } from "../target/target.ts";
import { consoleLink, type Notification, row, subjectOf } from "./notification.ts";

/** Lines of what has drifted. */
const DRIFT_LINES = 20;

/**
 * Says of one look at an open case what has drifted or holds again, and what a person can do now.
 * Null when there is nothing to tell.
 */
export function driftNotificationOf(
  look: Extract<CaseLook, { readonly record: unknown }>,
  { stage, bucket }: { readonly stage: string; readonly bucket: string },
): Notification | null {
  const { record, target, mayReapply, brakes } = look;
  const { news, drift, verdict, reapplied, reapplications } = record;
  if (news === null) return null;
  const { id, runId } = record.case;
  const name = describeTarget(target);
  const what =
    news === "drifted" ? `containment has drifted: ${name}` : `containment holds again: ${name}`;
  const lines = [
    `${what} in cluster ${target.cluster}. Verdict now: ${verdict}.`,
    "",
    ...drift.slice(0, DRIFT_LINES).map(({ code, message }) => row("Drift", `${code}: ${message}`)),
    ...(drift.length > DRIFT_LINES
      ? [row("Drift", `${drift.length - DRIFT_LINES} more, in the evidence`)]
      : []),
    ...(reapplied ? [row("Put back", putBack(reapplied))] : []),
    ...(mayReapply === null
      ? []
      : [row("Put back", "no: the stage's kill switch is engaged, or could not be read")]),
    ...brakes.map(({ why }) => row("Put back", `no: ${why}`)),
    ...(news === "drifted" && reapplications >= REAPPLIES_AT_MOST
      ? [row("Put back", "no more: somebody undoes it each time, and only a person can end that")]
      : []),
    row("Seen", record.judgedAt),
    row("Case", `${id}, stage ${stage}`),
    row("Execution", consoleLink(record.execution.arn)),
    "",
    "What you can do",
    row("Look", `npx containment run ${runId} --stage ${stage}`),
    row("Look again", `npx containment reverify ${id} --stage ${stage}`),
    row("History", `s3://${bucket}/cases/${id}/verdicts/`),
  ];
  return { subject: subjectOf(stage, what), message: lines.join("\n") };
}

function putBack({ number, error }: { readonly number: number; readonly error: string | null }) {
  const which = `${number} of at most ${REAPPLIES_AT_MOST} times in this case`;
  return error === null ? which : `${which}, in vain: ${error}`;
}
