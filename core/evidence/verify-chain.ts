import { type Check, check, MANIFEST_NAME, notChecked } from "./checks.ts";
import { ORDER_TOLERANCE_MS, SKEW_TOLERANCE_MS } from "./clock.ts";
import { artefactKey, runRecordKey } from "./keys.ts";
import { type Manifest, type PreviousRun, parseManifest, sha256 } from "./manifest.ts";
import { compareRecords } from "./record-run.ts";
import type { KeptRecord, RunFile, RunFolder, StoredFile } from "./run-folder.ts";
import { versionProblems } from "./verify-artefacts.ts";

/** The last states of the playbooks. */
const SEALERS: readonly string[] = ["RecordRun", "RecordDrain"];

interface Sealed {
  readonly manifest: Manifest;
  readonly sha256: string;
  readonly size: number;
}

/** That the manifest is the one that was sealed, and stands where it should among the case's runs. */
export async function checkChain(
  folder: RunFolder,
  present: readonly RunFile[],
  sealed: Sealed,
): Promise<readonly Check[]> {
  const stored = present.find(({ name }) => name === MANIFEST_NAME)?.stored ?? null;
  const records = await folder.records(sealed.manifest.caseId);
  return [
    manifestCheck(sealed.manifest, stored),
    recordCheck(sealed, stored, records),
    successionCheck(sealed.manifest, stored, records),
    ...(await linkChecks(folder, sealed.manifest)),
  ];
}

function manifestCheck(manifest: Manifest, stored: StoredFile | null): Check {
  const what = `${MANIFEST_NAME} was written once, by the last state of this run, when it says`;
  if (!stored) return notChecked(what, "only the bucket knows, and no listing of it lies beside");
  const { writer } = stored;
  const found = [...versionProblems(MANIFEST_NAME, stored)];
  if (!SEALERS.includes(writer?.state ?? "") || writer?.execution !== manifest.execution.arn) {
    found.push(`${MANIFEST_NAME} was written by ${writer?.state} of ${writer?.execution}`);
  }
  if (writer && writer.productVersion !== manifest.productVersion) {
    found.push(`${MANIFEST_NAME} was written by version ${writer.productVersion} of the product`);
  }
  const apart = Date.parse(writer?.capturedAt ?? "") - Date.parse(manifest.sealedAt);
  if (!(apart >= 0 && apart <= ORDER_TOLERANCE_MS)) {
    found.push(
      `${MANIFEST_NAME} says it was sealed at ${manifest.sealedAt}, and was written at ${writer?.capturedAt}`,
    );
  }
  return check(what, found);
}

function recordCheck(
  { manifest, ...own }: Sealed,
  stored: StoredFile | null,
  records: readonly KeptRecord[] | null,
): Check {
  const key = runRecordKey(manifest.caseId, manifest.runId);
  const what = `${MANIFEST_NAME} is the one that the case recorded when it was sealed, at ${key}`;
  if (!records) return notChecked(what, "the case's records are in the bucket, not in this folder");
  const kept = records.find((each) => each.key === key);
  if (!kept?.record) return check(what, [`the case has no record of this run at ${key}`]);
  const { manifest: recorded, runId, caseId } = kept.record;
  const found: string[] = [];
  if (kept.versions > 1) found.push(`${key} was changed: the bucket has ${kept.versions} versions`);
  if (runId !== manifest.runId || caseId !== manifest.caseId) {
    found.push(`${key} is the record of run ${runId} of case ${caseId}`);
  }
  if (recorded.sha256 !== own.sha256 || recorded.size !== own.size) {
    found.push(
      `${MANIFEST_NAME} was rewritten: it has SHA-256 ${own.sha256}, recorded was ${recorded.sha256}`,
    );
  }
  if (stored && stored.versionId !== recorded.versionId) {
    found.push(
      `${MANIFEST_NAME} was rewritten: it is version ${stored.versionId}, recorded was ${recorded.versionId}`,
    );
  }
  return check(what, found);
}

/** That no run of the case was left out between this one and the one that it names. */
function successionCheck(
  { previous, runId, caseId }: Manifest,
  stored: StoredFile | null,
  records: readonly KeptRecord[] | null,
): Check {
  const what = `no run of case ${caseId} that was sealed before this one is passed over`;
  if (!records || !stored) {
    return notChecked(what, "the case's records are in the bucket, not in this folder");
  }
  // A run that was recorded while this one was being sealed may not have been seen yet.
  const before = Date.parse(stored.storedAt) - SKEW_TOLERANCE_MS;
  const named = records.find(({ key }) => key === runRecordKey(caseId, previous?.runId ?? ""));
  const passedOver = records.filter(
    (each) =>
      each.key !== runRecordKey(caseId, runId) &&
      Date.parse(each.storedAt) < before &&
      (!named || compareRecords(named, each) < 0),
  );
  return check(
    what,
    passedOver.map(
      ({ key }) => `${MANIFEST_NAME} names ${previous?.runId ?? "no run"} before it, not ${key}`,
    ),
  );
}

/** Each run of the case before this one, as far back as they can be followed. */
async function linkChecks(folder: RunFolder, manifest: Manifest): Promise<readonly Check[]> {
  const first = "this is the first run of its case: no manifest comes before it";
  if (!manifest.previous) return [check(first, [])];
  const checks: Check[] = [];
  const seen = new Set([manifest.runId]);
  for (let link: PreviousRun | null = manifest.previous; link !== null; ) {
    const { what, outcome, found, next } = await linkCheck(folder, link, seen);
    checks.push({ what, outcome, found });
    seen.add(link.runId);
    link = next;
  }
  return checks;
}

async function linkCheck(
  folder: RunFolder,
  { runId, key, sha256: digest, versionId }: PreviousRun,
  seen: ReadonlySet<string>,
): Promise<Check & { readonly next: PreviousRun | null }> {
  const what = `the manifest of the run before, ${runId}, is the one that was chained: SHA-256 ${digest}`;
  const end = (ended: Check) => ({ ...ended, next: null });
  if (seen.has(runId)) return end(check(what, [`the chain of manifests comes back to ${runId}`]));
  if (key !== artefactKey(runId, MANIFEST_NAME)) {
    return end(check(what, [`${key} is not where the manifest of run ${runId} lies`]));
  }
  const there = await folder.manifestOf(runId);
  if (there === "notAtHand") {
    return end(notChecked(what, `run ${runId} was not downloaded beside this one`));
  }
  if (there === null) {
    return end(check(what, [`the chain is broken: ${key} of the run before is missing`]));
  }
  const found: string[] = [];
  const actual = sha256(there.bytes);
  if (actual !== digest) {
    found.push(`the chain is broken: ${key} has SHA-256 ${actual}, chained was ${digest}`);
  }
  if (there.stored && there.stored.versionId !== versionId) {
    found.push(
      `the chain is broken: ${key} is version ${there.stored.versionId}, chained was ${versionId}`,
    );
  }
  if (there.stored) found.push(...versionProblems(key, there.stored));
  if (found.length > 0) return end(check(what, found));
  const manifest = parseManifest(there.bytes);
  return { ...check(what, []), next: typeof manifest === "string" ? null : manifest.previous };
}
