import { setTimeout as delay } from "node:timers/promises";
import type { Deployment } from "../../adapters/aws/deployment.ts";
import { evidenceBucket } from "../../adapters/aws/evidence-bucket.ts";
import { executions } from "../../adapters/aws/executions.ts";
import { kubernetesApi } from "../../adapters/kubernetes/api.ts";
import { caseIdOf } from "../../core/case/case.ts";
import type { Drain, DrainPlan } from "../../core/evidence/schemas/drain.ts";
import type { ClusterFor } from "../../core/needs.ts";
import { type DRAIN_PLAN_NEEDS, makeDrainPlan } from "../../core/node/drain-plan.ts";
import { settingsFor } from "../../stages.ts";
import { brakeLines, brakesOf } from "../brakes.ts";
import { enter } from "../cluster.ts";
import { type AwsConfig, deployed } from "../stage.ts";
import { openBucket } from "./runs.ts";

interface Options {
  readonly stage: string;
  readonly yes?: boolean;
  readonly reason?: string;
  readonly json?: boolean;
}

const POLL_MS = 2_000;

/**
 * `containment drain`: which pods would leave the nodes of a contained target, as the operator sees
 * them, who must be in the group containment-readers; with `--yes` the stage's own function evicts
 * them, so that it is recorded, and what did not leave is told.
 */
export async function drain(id: string, options: Options): Promise<void> {
  const { stage, yes, json, reason = "" } = options;
  if (yes && reason.trim() === "") {
    throw new Error("--yes needs a --reason; it is kept as evidence");
  }
  const of = await containedRun(id, stage);
  const { aws, deployment } = await deployed(stage);
  if (!yes) {
    const plan = await planOf(of, options, aws, deployment);
    // Of the brakes only the kill switch holds a drain back: whoever asks for one has decided.
    const standing = (await brakesOf(stage, aws)).filter(({ brake }) => brake === "killSwitch");
    if (json) console.log(JSON.stringify({ ...plan, standing }));
    else for (const line of [...planLines(plan), ...brakeLines(standing)]) console.log(line);
    return;
  }
  const drains = executions(deployment.drainStateMachineArn, aws);
  const arn = await drains.start({ case: of, reason });
  if (!json) console.log(`Asked for it (${arn}). It takes as long as the pods take to end.`);
  let report = await drains.describe(arn);
  // The workflow ends by itself, after ten minutes at most.
  while (report.status === "RUNNING") {
    await delay(POLL_MS);
    report = await drains.describe(arn);
  }
  if (report.status !== "SUCCEEDED") {
    const what = `the drain ended ${report.status}: ${report.error}: ${report.cause}`;
    throw new Error(`${what}\nOnce that is cured: npx containment redrive ${arn} --stage ${stage}`);
  }
  const { case: run } = report.output as { readonly case: { readonly runId: string } };
  const result = await (await openBucket(stage)).read<Drain>(run.runId, "drain.json");
  if (!result) throw new Error(`run ${run.runId} has no drain.json: see \`containment run\``);
  if (json) console.log(JSON.stringify({ runId: run.runId, ...result }));
  else for (const line of resultLines(run.runId, result)) console.log(line);
  if (result.verdict !== "drained") process.exitCode = 1;
}

/** The run that contained: the one that is named, or the case's first. */
async function containedRun(id: string, stage: string) {
  const bucket = await openBucket(stage);
  const runIds = (await bucket.runIds()).filter((each) => each === id || each.endsWith(`-${id}`));
  for (const runId of runIds) {
    if (await bucket.read(runId, "preservation-plan.json")) {
      return { id: caseIdOf(runId) ?? runId, runId };
    }
  }
  const what = runIds.length === 0 ? "neither a case nor a run" : "a run that preserved no node";
  throw new Error(`${id} is ${what} in stage ${stage}; \`containment runs\` lists them`);
}

async function planOf(
  of: { readonly id: string; readonly runId: string },
  { stage, reason = "" }: Options,
  aws: AwsConfig,
  deployment: Deployment,
): Promise<DrainPlan> {
  const { cluster, transport } = await enter(settingsFor(stage).cluster.name, aws);
  const kubernetes: ClusterFor<typeof DRAIN_PLAN_NEEDS> = kubernetesApi(transport);
  const store = evidenceBucket(deployment.evidenceBucket, aws);
  const request = { case: of, cluster: cluster.name, reason };
  return makeDrainPlan(request, [], { kubernetes, store, now: () => new Date() });
}

function planLines({ caseId, nodes, evictions, stays, notDrained }: DrainPlan): readonly string[] {
  const names = nodes.map(({ name }) => name).join(", ") || "no node";
  return [
    `Drain of ${names}, for case ${caseId}; nothing is evicted yet.\n`,
    ...evictions.map(
      ({ namespace, name, controller }) =>
        `  evict  ${namespace}/${name}: ${controller} starts another one elsewhere`,
    ),
    ...stays.map(({ namespace, name, reason }) => `  stays  ${namespace}/${name}: ${reason}`),
    ...notDrained.map(leftLine),
    `\nPodDisruptionBudgets hold; what a pod keeps in an emptyDir is lost. To do it: --yes --reason "…"`,
  ];
}

function leftLine({ node, reason }: DrainPlan["notDrained"][number]): string {
  return `  left   node ${node}: ${reason}`;
}

function resultLines(
  runId: string,
  { verdict, brakes, pods, notDrained }: Drain,
): readonly string[] {
  const left = pods.filter(({ outcome }) => outcome === "left").length;
  return [
    `${verdict}: ${left} of ${pods.length} pods have left (run ${runId})`,
    ...brakes.flatMap(({ brake, why, withheld, lift }) => [
      `  ${brake}: ${why}; withheld: ${withheld}`,
      `    lift it: ${lift}`,
    ]),
    ...pods
      .filter(({ outcome }) => outcome !== "left")
      .map(
        ({ namespace, name, outcome, reason }) => `  ${outcome}  ${namespace}/${name}: ${reason}`,
      ),
    ...notDrained.map(leftLine),
  ];
}
