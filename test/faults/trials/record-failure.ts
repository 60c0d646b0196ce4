/** The record-failure playbook: Step Functions tells of a run that failed, and people are told. */
import type { ExecutionReport } from "../../../adapters/aws/executions.ts";
import { failuresPrefix } from "../../../core/evidence/keys.ts";
import type { RunResult } from "../../../core/evidence/record-run.ts";
import type { FailureRecord } from "../../../core/evidence/schemas/case.ts";
import type { Look } from "../place.ts";
import { missing } from "../table.ts";
import { contain, type Judged, openSubject, type Stand, type Trial } from "./trial.ts";

/** Of a run that went through, which is told of as failed: what is recorded is how it stands. */
export async function recordFailureTrial(stand: Stand): Promise<Trial> {
  const { look } = stand;
  const subject = await openSubject(stand);
  const { result, report } = await contain(subject, stand);
  const { arn, name, startedAt } = report;
  const detail = {
    ...{ executionArn: arn, name, status: "FAILED", startDate: startedAt.getTime() },
    ...{ error: "States.Runtime", cause: "the fault matrix", redriveCount: 0 },
    redriveStatus: "REDRIVABLE",
  };
  return {
    shop: subject.shop,
    input: { region: "us-east-1", detail },
    judge: (ended) => judge(ended, result, look),
  };
}

async function judge(ended: ExecutionReport, { case: of }: RunResult, look: Look): Promise<Judged> {
  const { outcome } = ended.output as { readonly outcome: "told" | "toldPlainly" };
  const kept = await look.store.list(failuresPrefix(of.id), 10);
  const [first] = kept;
  const record = first && (await look.store.read<FailureRecord>(first.key));
  const reached = record?.document.standing.reached;
  const wrong: string[] = [];
  if (kept.length > 1) wrong.push(`one failure was recorded ${kept.length} times`);
  if (record && reached !== "sealed") wrong.push(`the case says that the run came to ${reached}`);
  if (outcome === "told" && !record) wrong.push("told, and not in the case");
  return { end: outcome === "told" ? "told" : missing("RecordFailure"), wrong };
}
