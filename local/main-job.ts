/**
 * The main job, seen from outside: an alert goes into the queue, and what the product does with it is
 * watched in the console's API and read back from the evidence bucket.
 */
import { randomUUID } from "node:crypto";
import { SQSClient } from "@aws-sdk/client-sqs";
import { readDeployment } from "../adapters/aws/deployment.ts";
import { evidenceBucket } from "../adapters/aws/evidence-bucket.ts";
import { executions, type StateVisit } from "../adapters/aws/executions.ts";
import { artefactKey, runPrefix } from "../core/evidence/keys.ts";
import type { RunResult } from "../core/evidence/record-run.ts";
import { planLines } from "../core/quarantine/describe-plan.ts";
import type { Plan } from "../core/quarantine/plan.ts";
import { sendToQueue, terminalShellAlert } from "./falco.ts";
import { executionOf, followExecution, type StateTime, stateTimes } from "./follow.ts";
import type { Progress } from "./project.ts";
import { createNodes, createShop } from "./scene.ts";
import type { LocalStage } from "./stage.ts";

/** What `npm start -- --json` prints. */
export interface Outcome {
  /** The run's verdict, or `failed` when the execution did not get to one. */
  readonly verdict: RunResult["verdict"] | "failed";
  readonly timeToContainMs: number | null;
  readonly executionArn: string;
  readonly states: readonly StateTime[];
  readonly evidence: readonly { readonly key: string; readonly sha256: string }[];
  readonly namespace: string;
  readonly pod: string;
}

/** Sets the scene, raises the alert, and tells what happens until the run has ended. */
export async function runMainJob(stage: LocalStage, say: Progress): Promise<Outcome> {
  await createNodes(stage);
  const { namespace, checkout } = await createShop(stage);
  const [pod] = checkout.pods;
  if (!pod) throw new Error("the shop has no checkout pod");
  const deployment = await readDeployment("local", stage.aws);
  const found = executions(deployment.stateMachineArn, stage.aws);

  say(`\nA shell in ${namespace}/${pod.name}: Falcosidekick sends its alert to the queue.`);
  const alertId = randomUUID();
  const target = { ...pod, namespace, pod: pod.name };
  const alert = await terminalShellAlert(target, BigInt(Date.now()) * 1_000_000n, alertId);
  await sendToQueue(new SQSClient(stage.aws), deployment.alertQueueUrl, alert);

  const executionArn = await executionOf(alertId, found);
  say(`Execution ${executionArn}`);
  const report = await followExecution(executionArn, found, ({ name, ms }) =>
    say(`  ${name.padEnd(16)} ${`${ms} ms`.padStart(9)}`),
  );
  const visits = await found.visits(executionArn);
  const common = { executionArn, states: stateTimes(visits), namespace, pod: pod.name };
  if (report.status !== "SUCCEEDED") {
    say(`\nThe execution ended ${report.status}: ${report.error}: ${report.cause}`);
    return { ...common, verdict: "failed", timeToContainMs: null, evidence: [] };
  }
  const result = report.output as RunResult;
  const { runId } = result.case;
  const store = evidenceBucket(deployment.evidenceBucket, stage.aws);
  const plan = await store.read<Plan>(artefactKey(runId, "plan.json"));
  const evidence = await store.inspect(runPrefix(runId));
  for (const line of verdictLines(result)) say(line);
  for (const line of timeLines(result, visits)) say(line);
  say("\nPlan, as carried out");
  for (const line of plan ? planLines(plan.document) : []) say(`  ${line}`);
  say(`\nEvidence in s3://${deployment.evidenceBucket}/${runPrefix(runId)}, with SHA-256`);
  for (const { key, sha256 } of evidence) {
    say(`  ${sha256}  ${key.slice(runPrefix(runId).length)}`);
  }
  return {
    ...common,
    verdict: result.verdict,
    timeToContainMs: result.timeToContainMs,
    evidence: evidence.map(({ key, sha256 }) => ({ key, sha256 })),
  };
}

function verdictLines(result: RunResult): readonly string[] {
  return [
    `\nVerdict: ${result.verdict}`,
    ...result.reasons.map(({ code, message }) => `  ${code}: ${message}`),
    ...result.missing.map(({ state, error }) => `  missing: evidence of ${state} (${error})`),
    ...result.notPreserved.map(({ what, reason }) => `  not kept: ${what}: ${reason}`),
  ];
}

/** The state around the parallel branches, and the branch that the quarantine does not wait for. */
const BESIDE = [
  ...["CompleteAndPreserve", "PreserveNode", "SnapshotNodeEbs", "FollowSnapshots"],
  ...["SnapshotsFollowed", "WaitForSnapshots", "NodePreserved"],
];

/** From the sensor's clock to the last write of the quarantine, and what took how long. */
function timeLines(result: RunResult, visits: readonly StateVisit[]): readonly string[] {
  const { quarantinedAt, alert, execution } = result;
  if (quarantinedAt === null) return [];
  const detected = Date.parse(alert.detectedAt);
  const quarantined = Date.parse(quarantinedAt);
  const row = (what: string, ms: number) => `  ${what.padEnd(28)} ${`${ms} ms`.padStart(9)}`;
  const before = visits
    .filter(({ enteredAt }) => enteredAt.getTime() < quarantined)
    .filter(({ name }) => !BESIDE.includes(name));
  const parts: [string, number][] = [
    ["queue, pipe, bus and rule", Date.parse(execution.startedAt) - detected],
    ...before.map(({ name, enteredAt, exitedAt }): [string, number] => {
      const end = Math.min(exitedAt?.getTime() ?? quarantined, quarantined);
      return [name, end - enteredAt.getTime()];
    }),
  ];
  const total = quarantined - detected;
  const named = parts.reduce((sum, [, ms]) => sum + ms, 0);
  return [
    `\nTime to contain: ${total} ms, of which`,
    ...parts.map(([what, ms]) => row(what, ms)),
    row("between the states", total - named),
  ];
}
