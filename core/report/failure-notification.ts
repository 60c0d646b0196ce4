import type { FailureRecord } from "../evidence/schemas/case.ts";
import { describeTarget } from "../target/target.ts";
import { consoleLink, type Notification, row, subjectOf } from "./notification.ts";

/**
 * Says of an execution that ended badly what is contained and what is not, why it ended, and the next
 * step. A cause may hold what an attacker chose to be called: it is printed on one line and cut.
 */
export function failureNotificationOf(
  { caseId, execution, status, error, cause, redrivable, notRedrivable, standing }: FailureRecord,
  { stage }: { readonly stage: string },
): Notification {
  const { target, runId, mode } = standing;
  const what = target ? describeTarget(target) : `run ${execution.name}`;
  const why = error === null ? "" : ` (${error})`;
  const lines = [
    `The containment run for ${what} ended ${status}${why}.`,
    "",
    ...(target ? [row("Cluster", target.cluster)] : []),
    row("Done", standing.done),
    ...(standing.open === null ? [] : [row("Open", standing.open)]),
    row("Error", error ?? `none: it ${status === "ABORTED" ? "was stopped" : "ended"} without one`),
    ...(cause === null ? [] : [row("Cause", cause)]),
    ...(mode === null ? [] : [row("Mode", mode)]),
    row("Case", `${caseId}, stage ${stage}`),
    row("Execution", consoleLink(execution.arn)),
    "",
    "What you can do",
    ...(runId === null ? [] : [row("Look", `npx containment run ${runId} --stage ${stage}`)]),
    row("Mend", "what the cause asks for; docs/when-a-run-fails.md has every error"),
    redrivable
      ? row("Go on", `npx containment redrive ${execution.name} --stage ${stage}`)
      : row(
          "Go on",
          `it cannot be redriven: ${notRedrivable ?? "Step Functions does not say why"}`,
        ),
    ...(redrivable ? [row("", "says what will run again, and asks before it does")] : []),
  ];
  const subject = subjectOf(stage, `${status}${why}: ${what}`);
  return { subject, message: lines.join("\n") };
}
