import type { RunResult } from "../evidence/record-run.ts";
import { describeTarget } from "../target/target.ts";
import { oneLine } from "./one-line.ts";

/** What the people on call read: a mail, a page or a chat message. */
export interface Notification {
  /** ASCII, at most 100 characters: SNS takes no other. */
  readonly subject: string;
  readonly message: string;
}

const SUBJECT_LENGTH = 100;
/** Lines of what could not be preserved. */
const NOT_KEPT_LINES = 10;

/**
 * Says of one recorded run what was done to what, what holds and what does not, and what a person
 * can do now. Texts that came with an alert are printed on one line and cut: whoever can send an
 * alert must not be able to write a paragraph of this message.
 */
export function notificationOf(
  result: RunResult,
  { stage, bucket }: { readonly stage: string; readonly bucket: string },
): Notification {
  const { alert, target, verdict, reasons, missing, notPreserved, timeToContainMs, execution } =
    result;
  const { id, runId } = result.case;
  const what = `${verdict}: ${describeTarget(target)}`;
  const took = timeToContainMs === null ? "" : `, ${timeToContainMs} ms after it was detected`;
  const lines = [
    `${what} in cluster ${target.cluster}${took}.`,
    "",
    row("Alert", `${alert.source}: ${alert.rule} (${alert.severity}), ${alert.detectedAt}`),
    row("Mode", `${result.mode}: ${result.reason}`),
    ...result.brakes.flatMap(({ brake, withheld, why, lift }) => [
      row("Brake", `${brake}: ${why}; withheld: ${withheld}`),
      row("Lift", lift),
    ]),
    ...reasons.map(({ code, message }) => row("Reason", `${code}: ${message}`)),
    ...missing.map(({ state, error }) => row("Missing", `evidence of ${state} (${error})`)),
    ...notPreserved
      .slice(0, NOT_KEPT_LINES)
      .map(({ what, reason }) => row("Not kept", `${what}: ${reason}`)),
    ...(notPreserved.length > NOT_KEPT_LINES
      ? [row("Not kept", `${notPreserved.length - NOT_KEPT_LINES} more, in the evidence`)]
      : []),
    row("Case", `${id}, stage ${stage}`),
    row("Execution", consoleLink(execution.arn)),
    "",
    "What you can do",
    row("Look", `npx containment run ${runId} --stage ${stage}`),
    row("Verify", `npx containment verify s3://${bucket}/runs/${runId}/ --stage ${stage}`),
    ...release(result, bucket),
  ];
  return { subject: subjectOf(stage, what), message: lines.join("\n") };
}

/** In ASCII and cut: SNS takes no other. */
export function subjectOf(stage: string, what: string): string {
  return `[${stage}] ${what}`.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, SUBJECT_LENGTH);
}

function release({ mode, verdict, case: { runId } }: RunResult, bucket: string): readonly string[] {
  if (mode === "audit") return [row("Release", "nothing was changed")];
  if (verdict === "joined") return [row("Release", "nothing was changed; the other case acts")];
  if (verdict === "ignored") return [row("Release", "nothing was changed; the next alert acts")];
  const run = `s3://${bucket}/runs/${runId}`;
  return [
    row("Release", `undo each write of ${run}/plan.json, last one first`),
    row("", "then each of preservation-plan.json beside it: it keeps the node"),
  ];
}

/** The execution in the Step Functions console, where it can be watched and redriven. */
export function consoleLink(executionArn: string): string {
  const [, partition = "aws", , region = ""] = executionArn.split(":");
  const host =
    { "aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com" }[partition] ??
    "console.aws.amazon.com";
  return `https://${region}.${host}/states/home?region=${region}#/v2/executions/details/${executionArn}`;
}

const TEXT_LENGTH = 500;

/** A line of a message: what a text is, and the text on one line and cut. */
export function row(name: string, text: string): string {
  const line = oneLine(text);
  const cut = line.length > TEXT_LENGTH ? `${line.slice(0, TEXT_LENGTH)}…` : line;
  return `  ${name.padEnd(10)} ${cut}`;
}
