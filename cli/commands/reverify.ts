import { setTimeout as delay } from "node:timers/promises";
import { SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn";
import { caseObjects } from "../../adapters/aws/case-objects.ts";
import { executions } from "../../adapters/aws/executions.ts";
import { caseKey, openCaseKey } from "../../core/evidence/keys.ts";
import { CaseRecord, OpenMarker } from "../../core/evidence/schemas/case.ts";
import { type AwsConfig, deployed } from "../stage.ts";
import { verdictHistory, verdictLine } from "../verdict-history.ts";

interface Options {
  readonly stage: string;
  readonly mend?: boolean;
  readonly json?: boolean;
}

const LOOK_LIMIT_MS = 180_000;

/**
 * `containment reverify`: looks at one open case now, as the schedule does, and prints what came of
 * it. Puts the quarantine back only when asked to, and only where the stage's settings allow it.
 * Exit code 1 when something has drifted or the case could not be looked at.
 */
export async function reverify(caseId: string, { stage, mend = false, json }: Options) {
  const { aws, deployment } = await deployed(stage);
  const bucket = deployment.evidenceBucket;
  const marker = await markerOf(caseId, bucket, aws);
  const input = JSON.stringify({ request: { markers: [marker], mend } });
  const { executionArn = "" } = await new SFNClient(aws).send(
    new StartExecutionCommand({ stateMachineArn: deployment.reverifyStateMachineArn, input }),
  );
  const status = await endOf(executionArn, deployment.reverifyStateMachineArn, aws);
  const history = await verdictHistory(caseId, { bucket, aws });
  const last = history.at(-1);
  if (json) console.log(JSON.stringify({ caseId, executionArn, status, last: last ?? null }));
  else {
    if (status !== "SUCCEEDED") console.log(`the look ${status.toLowerCase()}: ${executionArn}`);
    for (const record of history) console.log(verdictLine(record));
    if (!last) console.log("not judged: its run is not sealed (see `containment runs`)");
  }
  const holds = last !== undefined && last.drift.length === 0 && last.verdict !== "unverified";
  if (status !== "SUCCEEDED" || !holds) process.exitCode = 1;
}

/** The marker that says that the case is open. */
async function markerOf(caseId: string, bucket: string, aws: AwsConfig): Promise<string> {
  if (!/^c-\d{8}-[0-9a-f]{10}$/.test(caseId)) throw new Error(`"${caseId}" is no id of a case`);
  const objects = caseObjects(bucket, aws);
  if ((await objects.keys(caseKey(caseId))).length === 0) {
    throw new Error(`there is no case ${caseId}; \`containment runs\` lists what there is`);
  }
  const read = async (key: string): Promise<unknown> =>
    JSON.parse(Buffer.from(await objects.read(key)).toString("utf8"));
  const { target } = CaseRecord.parse(await read(caseKey(caseId)));
  const keys = await objects.keys(openCaseKey(target).replace(/\.json$/, ""));
  for (const key of keys) {
    if (OpenMarker.parse(await read(key)).case.id === caseId) return key;
  }
  throw new Error(`case ${caseId} is not open: nothing of it is kept contained`);
}

async function endOf(arn: string, stateMachineArn: string, aws: AwsConfig): Promise<string> {
  const machine = executions(stateMachineArn, aws);
  const until = Date.now() + LOOK_LIMIT_MS;
  for (;;) {
    const { status } = await machine.describe(arn);
    if (status !== "RUNNING" || Date.now() > until) return status;
    await delay(500);
  }
}
