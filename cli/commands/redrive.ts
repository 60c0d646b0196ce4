import {
  type ExecutionReport,
  type Executions,
  executions,
  type StateVisit,
} from "../../adapters/aws/executions.ts";
import { caseIdOf, caseOf } from "../../core/case/case.ts";
import { plainCause } from "../../core/case/record-failure.ts";
import { type Standing, standingOf } from "../../core/case/standing.ts";
import { artefactKey, caseKey } from "../../core/evidence/keys.ts";
import type { AlertRecord, CaseRecord } from "../../core/evidence/schemas/case.ts";
import { printableJson, printableLine } from "../../core/report/printable.ts";
import { type Resumption, resumptionOf } from "../../core/report/resumption.ts";
import { waitFor } from "../../local/wait.ts";
import { confirmed } from "../confirmation.ts";
import { evidenceReader } from "../evidence-reader.ts";
import { deployed } from "../stage.ts";

interface Options {
  readonly stage: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** An execution may run for an hour; what it says then is in the console. */
const FOLLOW_LIMIT_MS = 65 * 60_000;
/** Ends that ask for a person even though the execution went through. */
const NOT_AS_IT_SHOULD_BE = new Set(["partial", "notEnforceable", "unverified"]);

/**
 * `containment redrive`: says what failed, why, and what a redrive runs again; redrives once it is
 * told to, and follows to the end. Exit code 1 when it failed again, or ended with a verdict that
 * asks for a person; 2 when there is nothing to redrive.
 */
export async function redrive(id: string, { stage, yes, json }: Options): Promise<void> {
  const { aws, deployment } = await deployed(stage);
  const found = executions(deployment.stateMachineArn, aws);
  const reader = evidenceReader(deployment.evidenceBucket, aws);
  const arn = await executionArn(id, { stage, reader, machine: deployment.stateMachineArn });
  const failed = await found.describe(arn);
  refuseUnlessRedrivable(failed, stage);
  const visits = await found.visits(arn);
  const resumption = resumptionOf(await found.definition(arn), visits);
  const startedAt = failed.startedAt.toISOString();
  const standing =
    machineOf(arn) === machineOf(deployment.stateMachineArn)
      ? await standingOf(caseOf({ arn, name: failed.name, startedAt }).id, reader)
      : null;

  const say = json ? console.error : console.log;
  for (const line of described(failed, resumption, standing)) say(line);
  if (!yes && !(await confirmed(`Redrive it, in stage ${stage}?`))) {
    throw new Error("nothing was redriven");
  }
  await found.redrive(arn);
  const ended = await follow(arn, found, { after: failed, told: visits.length, say });
  const outcome = outcomeOf(ended);
  const cause = ended.cause === null ? null : plainCause(ended.cause);
  if (json) {
    console.log(
      printableJson({
        ...{ executionArn: arn, failed: { ...why(failed), resumption, standing } },
        ended: { status: ended.status, outcome, error: ended.error, cause },
      }),
    );
  } else {
    say(`${ended.status}${outcome === null ? "" : `: ${outcome}`}`);
    if (ended.error !== null) say(`  ${ended.error}: ${printableLine(cause ?? "", 2_000)}`);
  }
  const well = ended.status === "SUCCEEDED" && !(outcome && NOT_AS_IT_SHOULD_BE.has(outcome));
  process.exitCode = well ? 0 : 1;
}

/** The execution that is meant: by its ARN or name, or as that of a run or a case. */
async function executionArn(
  id: string,
  {
    stage,
    reader,
    machine,
  }: { stage: string; reader: ReturnType<typeof evidenceReader>; machine: string },
): Promise<string> {
  if (id.startsWith("arn:")) return id;
  const caseId = caseIdOf(id);
  if (caseId === null) return `${machine.replace(":stateMachine:", ":execution:")}:${id}`;
  const opened = await reader.read<CaseRecord>(caseKey(caseId));
  const runId = opened?.document.case.runId ?? id;
  const alert = await reader.read<AlertRecord>(artefactKey(runId, "alert.json"));
  if (alert) return alert.document.execution.arn;
  throw new Error(
    `stage ${stage} knows no execution of ${id}; name the execution, as the message about it does`,
  );
}

function refuseUnlessRedrivable({ name, status, redrives }: ExecutionReport, stage: string): void {
  if (status === "SUCCEEDED") throw new Error(`${name} succeeded: there is nothing to redrive`);
  if (status === "RUNNING" || status === "PENDING_REDRIVE") {
    throw new Error(`${name} is running; look at it with: npx containment runs --stage ${stage}`);
  }
  if (!redrives.possible) {
    throw new Error(
      `${name} ended ${status} and cannot be redriven: ${redrives.reason ?? "no reason is given"}. ` +
        "Its case keeps the target: docs/when-a-run-fails.md says how it is freed.",
    );
  }
}

function described(
  failed: ExecutionReport,
  resumption: Resumption | null,
  standing: Standing | null,
): readonly string[] {
  const { error, cause } = why(failed);
  const { at = "its start", within = [], after = [] } = resumption ?? {};
  const inside = within.length > 0 ? ` (in it ${within.join(", ")})` : "";
  const times = failed.redrives.count;
  return [
    `${failed.name} of ${machineOf(failed.arn)} ended ${failed.status} at ${at}${inside}` +
      `${times > 0 ? `, after ${times} ${times === 1 ? "redrive" : "redrives"}` : ""}.`,
    `  Error   ${error ?? "none"}`,
    `  Cause   ${printableLine(cause ?? "none was given", 2_000)}`,
    ...(standing ? [`  Done    ${standing.done}`] : []),
    ...(standing?.open ? [`  Open    ${standing.open}`] : []),
    `  Again   ${at}${inside}`,
    ...(after.length > 0 ? [`  Then    ${after.join(", ")}`] : []),
    "Mend what the cause asks for first: a redrive goes on from where it stopped, and undoes nothing.",
  ];
}

function why({ status, error, cause }: ExecutionReport) {
  return { status, error, cause: cause === null ? null : plainCause(cause) };
}

/** Waits for the end of the attempt after this one, telling each state as it ends. */
async function follow(
  arn: string,
  found: Executions,
  { after, told, say }: { after: ExecutionReport; told: number; say: (line: string) => void },
): Promise<ExecutionReport> {
  const said = new Set<StateVisit["enteredAt"]>();
  const tell = async () => {
    for (const { name, enteredAt, exitedAt } of (await found.visits(arn)).slice(told)) {
      if (exitedAt === null || said.has(enteredAt)) continue;
      said.add(enteredAt);
      say(`  ${name.padEnd(20)} ${exitedAt.getTime() - enteredAt.getTime()} ms`);
    }
  };
  return waitFor(
    { what: `the end of ${arn}`, limitMs: FOLLOW_LIMIT_MS, pollMs: 1_000 },
    async () => {
      const report = await found.describe(arn);
      const again = report.redrives.count > after.redrives.count;
      await tell();
      return again && !["RUNNING", "PENDING_REDRIVE"].includes(report.status) ? report : undefined;
    },
  );
}

function outcomeOf({ output }: ExecutionReport): string | null {
  return typeof output === "object" && output !== null && "outcome" in output
    ? String(output.outcome)
    : null;
}

/** The name of the state machine in its ARN, or in that of one of its executions. */
function machineOf(arn: string): string {
  return arn.split(":")[6] ?? arn;
}
