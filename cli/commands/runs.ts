import { paginateListObjectsV2, S3Client } from "@aws-sdk/client-s3";
import { caseObjects } from "../../adapters/aws/case-objects.ts";
import { executions } from "../../adapters/aws/executions.ts";
import { caseIdOf } from "../../core/case/case.ts";
import { type Standing, standingOf } from "../../core/case/standing.ts";
import type { ArtefactName } from "../../core/evidence/keys.ts";
import { runPrefix } from "../../core/evidence/keys.ts";
import { Manifest } from "../../core/evidence/manifest.ts";
import type { RunResult } from "../../core/evidence/record-run.ts";
import { AlertRecord } from "../../core/evidence/schemas/case.ts";
import type { Drain } from "../../core/evidence/schemas/drain.ts";
import { absorbedLine } from "../../core/report/absorbed.ts";
import { printableLine } from "../../core/report/printable.ts";
import { describeTarget } from "../../core/target/target.ts";
import { evidenceReader } from "../evidence-reader.ts";
import { joinedAlerts } from "../joined-alerts.ts";
import { deployed } from "../stage.ts";
import { verdictHistory, verdictLine } from "../verdict-history.ts";

interface Options {
  readonly stage: string;
  readonly json?: boolean;
}

interface Run {
  readonly id: string;
  /** Null while the run goes on, or when it failed before its record. */
  readonly result: RunResult | Drain | null;
  /** How a run without a result stands. */
  readonly unfinished: Unfinished | null;
}

interface Unfinished {
  readonly standing: Standing;
  readonly executionArn: string | null;
  /** Of the execution, as Step Functions has it; null when that is not known. */
  readonly status: string | null;
}

/** `containment runs`: one line for each run, newest first. */
export async function runs({ limit, ...options }: Options & { limit: string }): Promise<void> {
  const count = Number(limit);
  if (!Number.isInteger(count) || count < 1)
    throw new Error(`--limit ${limit} is no whole number of 1 or more`);
  const bucket = await openBucket(options.stage);
  const ids = (await bucket.runIds()).toReversed().slice(0, count);
  const found: Run[] = [];
  for (const id of ids) found.push(await bucket.run(id));
  if (options.json) {
    console.log(JSON.stringify(found.map((each) => ({ id: each.id, ...summary(each) }))));
    return;
  }
  if (found.length === 0) console.log(`No runs in stage ${options.stage} yet.`);
  for (const each of found) console.log(`${each.id}  ${line(each)}`);
}

/** `containment run`: the result and the sealed artefacts of one run. */
export async function run(id: string, { stage, json }: Options): Promise<void> {
  const bucket = await openBucket(stage);
  const [found, manifest] = await Promise.all([
    bucket.run(id),
    bucket.read<unknown>(id, "manifest.json"),
  ]);
  const { result, unfinished } = found;
  if (!result && !(await bucket.runIds()).includes(id)) {
    throw new Error(`stage ${stage} has no run ${id}; \`containment runs\` lists them`);
  }
  const { alerts, absorbed } = await bucket.joined(caseIdOf(id) ?? id);
  if (json) {
    const joined = {
      alerts: alerts.length,
      absorbed: absorbed.map(({ alertKeys: _, ...each }) => each),
    };
    console.log(JSON.stringify({ id, url: bucket.url(id), result, unfinished, joined, manifest }));
    return;
  }
  console.log(`${id}  ${line(found)}`);
  if (unfinished) {
    const { executionArn, standing, status } = unfinished;
    console.log(`  done: ${standing.done}`);
    if (standing.open) console.log(`  open: ${standing.open}`);
    console.log(`  execution: ${executionArn ?? "not known"}`);
    if (status !== null && status !== "RUNNING") {
      console.log(`  go on with: npx containment redrive ${id} --stage ${stage}`);
    }
  }
  const contained = result && "mode" in result ? result : null;
  if (contained) console.log(`  ${contained.mode}: ${printableLine(contained.reason)}`);
  for (const { brake, why, withheld, lift } of result?.brakes ?? []) {
    console.log(`  ${brake}: ${why}; withheld: ${withheld}`);
    console.log(`    lift it: ${lift}`);
  }
  for (const { code, message } of contained?.reasons ?? []) {
    console.log(`  ${code}: ${printableLine(message)}`);
  }
  if (alerts.length > 0) console.log(`  further alerts that joined the case: ${alerts.length}`);
  for (const each of absorbed) {
    console.log(`  took up case ${each.case.id}, ${printableLine(absorbedLine(each))}`);
  }
  const sealed = Manifest.safeParse(manifest).data;
  // What is not locked is known only once the result is written: the manifest has it too.
  for (const { state, error } of sealed?.missing ?? contained?.missing ?? []) {
    console.log(`  missing: ${state}'s evidence (${error})`);
  }
  for (const { code, message } of sealed?.warnings ?? []) console.log(`  ${code}: ${message}`);
  for (const { name, sha256 } of sealed?.artefacts ?? []) console.log(`  ${sha256}  ${name}`);
  if (sealed) console.log(`  sealed ${sealed.sealedAt}`);
  else
    console.log(manifest === null ? "  not sealed" : "  manifest.json is no manifest: verify it");
  for (const record of contained ? await bucket.history(contained.case.id) : []) {
    console.log(`  looked again ${verdictLine(record)}`);
  }
  console.log(`  ${bucket.url(id)}`);
}

function summary({ result, unfinished }: Run) {
  if (result && "pods" in result) return { verdict: result.verdict, drains: result.containedRunId };
  return {
    verdict: result?.verdict ?? null,
    mode: result?.mode ?? unfinished?.standing.mode ?? null,
    target: result?.target ?? unfinished?.standing.target ?? null,
    timeToContainMs: result?.timeToContainMs ?? null,
    executionArn: result?.execution.arn ?? unfinished?.executionArn ?? null,
    unfinished,
  };
}

function line({ result, unfinished }: Run): string {
  if (result && "pods" in result) return `${result.verdict}  nodes of run ${result.containedRunId}`;
  if (result) {
    const time = result.timeToContainMs === null ? "" : `  ${result.timeToContainMs} ms`;
    return `${result.verdict}  ${describeTarget(result.target)}${time}`;
  }
  const { status, standing } = unfinished ?? { status: null, standing: null };
  const target = standing?.target ? `  ${describeTarget(standing.target)}` : "";
  return `not recorded: ${status ?? "no execution is known"}, ${standing?.reached ?? "nothing"}${target}`;
}

/** The evidence of a stage, as its operators read it. */
export async function openBucket(stage: string) {
  const { aws, deployment } = await deployed(stage);
  const { evidenceBucket: Bucket } = deployment;
  const s3 = new S3Client(aws);
  const reader = evidenceReader(Bucket, aws);
  const workflow = executions(deployment.stateMachineArn, aws);

  async function read<T>(id: string, name: ArtefactName): Promise<T | null> {
    return (await reader.read<T>(runPrefix(id) + name))?.document ?? null;
  }

  /** Null once Step Functions has forgotten it, which is after 90 days. */
  async function statusOf(arn: string): Promise<string | null> {
    try {
      return (await workflow.describe(arn)).status;
    } catch (error) {
      if (error instanceof Error && error.name === "ExecutionDoesNotExist") return null;
      throw error;
    }
  }

  async function unfinished(id: string): Promise<Unfinished> {
    // What lies there may be anything: it is no manifest that vouches for it yet.
    const alert = AlertRecord.safeParse(await read<unknown>(id, "alert.json")).data;
    const executionArn = alert?.execution.arn ?? null;
    const standing = await standingOf(caseIdOf(id) ?? id, reader);
    return { standing, executionArn, status: executionArn && (await statusOf(executionArn)) };
  }

  return {
    history: (caseId: string) => verdictHistory(caseId, { bucket: Bucket, aws }),
    joined: (caseId: string) => joinedAlerts(caseId, caseObjects(Bucket, aws)),
    read,
    url: (id: string) => `s3://${Bucket}/${runPrefix(id)}`,
    async run(id: string): Promise<Run> {
      const result =
        (await read<RunResult>(id, "containment.json")) ??
        (await read<RunResult>(id, "audit.json")) ??
        (await read<Drain>(id, "drain.json"));
      return { id, result, unfinished: result ? null : await unfinished(id) };
    },
    async runIds(): Promise<readonly string[]> {
      const ids: string[] = [];
      const pages = paginateListObjectsV2(
        { client: s3 },
        { Bucket, Prefix: "runs/", Delimiter: "/" },
      );
      for await (const { CommonPrefixes = [] } of pages) {
        ids.push(...CommonPrefixes.map(({ Prefix = "" }) => Prefix.slice("runs/".length, -1)));
      }
      return ids;
    },
  };
}
