import { resolve } from "node:path";
import { caseObjects } from "../../adapters/aws/case-objects.ts";
import { bucketRunFolder } from "../../adapters/run-folder.ts";
import {
  caseKey,
  failuresPrefix,
  joinedAlertsPrefix,
  runPrefix,
  runRecordsPrefix,
} from "../../core/evidence/keys.ts";
import { Manifest } from "../../core/evidence/manifest.ts";
import { listVersions } from "../../core/evidence/run-folder.ts";
import { CaseRecord, FailureRecord } from "../../core/evidence/schemas/case.ts";
import { verifyRun } from "../../core/evidence/verify.ts";
import { caseReport, type ReportedRun } from "../../core/report/case-report.ts";
import { toHtml, toMarkdown } from "../../core/report/report.ts";
import { type Archive, openArchive } from "../archive.ts";
import { joinedAlerts } from "../joined-alerts.ts";
import { type AwsConfig, deployed } from "../stage.ts";

interface Options {
  readonly stage: string;
  readonly to?: string;
  readonly json?: boolean;
}

/**
 * `containment export`: everything that is known of a case in one ZIP file: its alerts, its runs byte
 * for byte with what the bucket knows of each object beside them, so that `verify` works on the
 * unpacked folders, and a report for people. Exit code 1 when a run's evidence does not verify.
 */
export async function exportCase(caseId: string, { stage, to, json }: Options): Promise<void> {
  if (!/^c-\d{8}-[0-9a-f]{10}$/.test(caseId)) throw new Error(`"${caseId}" is no id of a case`);
  const { aws, deployment } = await deployed(stage);
  const bucket = deployment.evidenceBucket;
  const objects = caseObjects(bucket, aws);
  const keys = await objects.keys(`cases/${caseId}/`);
  if (!keys.includes(caseKey(caseId))) {
    throw new Error(
      `stage ${stage} has no case ${caseId}; \`containment runs\` lists what there is`,
    );
  }
  const path = resolve(to ?? `${caseId}.zip`);
  const archive = await openArchive(path).catch((error: NodeJS.ErrnoException) => {
    throw error.code === "EEXIST"
      ? new Error(`${path} is there already; name another --to`)
      : error;
  });
  const say = json ? () => {} : console.error;
  try {
    const ofCase = new Map<string, unknown>();
    for (const key of keys) {
      const bytes = await objects.read(key);
      ofCase.set(key, parsed(bytes));
      await archive.add(`${caseId}/${key.slice(`cases/${caseId}/`.length)}`, bytes);
    }
    const record = CaseRecord.parse(ofCase.get(caseKey(caseId)));
    const runs: ReportedRun[] = [];
    for (const runId of runsOf(keys, caseId, record.case.runId)) {
      say(`run ${runId}`);
      runs.push(await addRun(archive, { caseId, runId, bucket, aws }));
    }
    const { alerts, absorbed } = await joinedAlerts(caseId, objects);
    for (const { case: other, alertKeys } of absorbed) {
      for (const key of alertKeys) {
        const bytes = await objects.read(key);
        ofCase.set(key, parsed(bytes));
        const name = key.slice(joinedAlertsPrefix(other.id).length);
        await archive.add(`${caseId}/absorbed/${other.id}/alerts/${name}`, bytes);
      }
    }
    const joined = [...alerts, ...absorbed.flatMap(({ alertKeys }) => alertKeys)].flatMap(
      (key) => (ofCase.get(key) as ReportedRun["alert"]) ?? [],
    );
    const failures = [...ofCase].flatMap(([key, document]) =>
      key.startsWith(failuresPrefix(caseId)) ? (FailureRecord.safeParse(document).data ?? []) : [],
    );
    const about = { stage, exportedAt: new Date().toISOString() };
    const report = caseReport({ record, joined, absorbed, failures, runs }, about);
    await archive.add(`${caseId}/report.md`, toMarkdown(report));
    await archive.add(`${caseId}/report.html`, toHtml(report));
    await archive.close();
    const verified = runs.every(({ verification }) => verification.verified);
    process.exitCode = verified ? 0 : 1;
    if (json) {
      const told = runs.map(({ runId, verification: { verified, problems } }) => ({
        ...{ runId, verified, problems },
      }));
      console.log(JSON.stringify({ case: caseId, file: path, verified, runs: told }));
      return;
    }
    console.log(`${path}: ${runs.length} run${runs.length === 1 ? "" : "s"} of case ${caseId}`);
    console.log(verified ? "  every run verifies" : "  NOT verified: see report.md");
  } catch (error) {
    await archive.discard();
    throw error;
  }
}

/** Those that were sealed, and the one that opened the case, which may have failed before. */
function runsOf(keys: readonly string[], caseId: string, first: string): readonly string[] {
  const prefix = runRecordsPrefix(caseId);
  const sealed = keys
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length).replace(/\.json$/, ""));
  return [...new Set([first, ...sealed])].toSorted();
}

async function addRun(
  archive: Archive,
  of: {
    readonly caseId: string;
    readonly runId: string;
    readonly bucket: string;
    readonly aws: AwsConfig;
  },
): Promise<ReportedRun> {
  const { caseId, runId, bucket, aws } = of;
  const folder = bucketRunFolder(`s3://${bucket}/${runPrefix(runId)}`, aws);
  const documents = new Map<string, unknown>();
  for (const { name, stored } of await folder.list()) {
    if (stored?.versionId === null) continue; // deleted: the listing tells of it
    const bytes = await folder.read(name);
    if (REPORTED.has(name)) documents.set(name, parsed(bytes));
    await archive.add(`${caseId}/runs/${runId}/${name}`, bytes);
  }
  const listing = await listVersions(folder, { runId, caseId }, () => new Date());
  await archive.add(`${caseId}/runs/${runId}.versions.json`, `${JSON.stringify(listing)}\n`);
  const document = <T>(name: string) => (documents.get(name) ?? null) as T | null;
  const authentication = document<{ readonly identity: { readonly username: string } }>(
    "authentication.json",
  );
  return {
    runId,
    alert: document("alert.json"),
    identity: authentication?.identity.username ?? null,
    plan: document("plan.json"),
    preservationPlan: document("preservation-plan.json"),
    preservation: document("preservation.json"),
    volumes: document("volumes.json"),
    snapshots: document("snapshots.json"),
    result: document("containment.json") ?? document("audit.json"),
    drain: document("drain.json"),
    manifest: Manifest.safeParse(document("manifest.json")).data ?? null,
    verification: await verifyRun(folder),
  };
}

/** What the report tells from; pages of pods are only passed on. */
const REPORTED = new Set([
  ...["alert.json", "authentication.json", "plan.json", "preservation-plan.json"],
  ...["preservation.json", "volumes.json", "snapshots.json"],
  ...["containment.json", "audit.json", "drain.json", "manifest.json"],
]);

/** Null for what is no JSON: evidence that was tampered with is exported all the same. */
function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return null;
  }
}
