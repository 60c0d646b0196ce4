import { type Check, check, MANIFEST_NAME, notChecked } from "./checks.ts";
import type { ObjectLock } from "./custody.ts";
import { type Manifest, type ManifestEntry, sha256 } from "./manifest.ts";
import type { RunFile, RunFolder, StoredFile } from "./run-folder.ts";

/** That the folder holds what the manifest names, as it was sealed, and nothing else. */
export async function checkArtefacts(
  folder: RunFolder,
  present: readonly RunFile[],
  manifest: Manifest,
): Promise<readonly Check[]> {
  const checks = [orderCheck(manifest), additionsCheck(present, manifest)];
  for (const entry of manifest.artefacts) {
    const file = present.find(({ name }) => name === entry.name);
    const bytes = await bytesOf(folder, file);
    checks.push(bytesCheck(entry, bytes, file?.stored ?? null));
    if (file && bytes) checks.push(storeCheck(entry, file.stored, manifest));
  }
  return checks;
}

/** Null when it is not there, or hidden by a delete marker. */
async function bytesOf(folder: RunFolder, file: RunFile | undefined): Promise<Uint8Array | null> {
  return !file || file.stored?.versionId === null ? null : folder.read(file.name);
}

function orderCheck({ artefacts }: Manifest): Check {
  const names = artefacts.map(({ name }) => name);
  const found: string[] = [];
  if (new Set([MANIFEST_NAME, ...names]).size !== names.length + 1) {
    found.push(`${MANIFEST_NAME} names an artefact twice, or itself`);
  }
  const moved = names.find((name, index) => index > 0 && (names[index - 1] ?? "") > name);
  if (moved) found.push(`${MANIFEST_NAME} is not in the order in which it was sealed: ${moved}`);
  return check("the manifest names each artefact once, in the order of their names", found);
}

function additionsCheck(present: readonly RunFile[], { artefacts }: Manifest): Check {
  const named = new Set([MANIFEST_NAME, ...artefacts.map(({ name }) => name)]);
  const added = present.filter(({ name }) => !named.has(name));
  return check(
    "nothing was added to the run",
    added.map(({ name }) => `${name} is not in the manifest`),
  );
}

function bytesCheck(
  entry: ManifestEntry,
  bytes: Uint8Array | null,
  stored: StoredFile | null,
): Check {
  const what = `${entry.name} has the bytes that were sealed: ${entry.size}, SHA-256 ${entry.sha256}`;
  if (!bytes) {
    const why = stored ? `: it was deleted, version ${entry.versionId} may still be read` : "";
    return check(what, [`${entry.name} is missing${why}`]);
  }
  const found: string[] = [];
  if (bytes.byteLength !== entry.size) {
    found.push(`${entry.name} has ${bytes.byteLength} bytes, sealed were ${entry.size}`);
  }
  const digest = sha256(bytes);
  if (digest !== entry.sha256) {
    found.push(`${entry.name} has SHA-256 ${digest}, sealed was ${entry.sha256}`);
  }
  return check(what, found);
}

function storeCheck(entry: ManifestEntry, stored: StoredFile | null, manifest: Manifest): Check {
  const what =
    `${entry.name} is version ${entry.versionId} of ${entry.storedAt}, ` +
    `written by ${entry.state ?? "nobody known"} at ${entry.capturedAt ?? "no known time"}, and locked`;
  if (!stored) return notChecked(what, "only the bucket knows, and no listing of it lies beside");
  const { name } = entry;
  const found = [...versionProblems(name, stored)];
  if (stored.versionId !== entry.versionId) {
    found.push(`${name} was written again: version ${stored.versionId} is not the sealed`);
  }
  if (stored.storedAt !== entry.storedAt) {
    found.push(`${name} was stored at ${stored.storedAt}, the manifest says ${entry.storedAt}`);
  }
  const { writer } = stored;
  for (const fact of ["state", "capturedAt", "productVersion"] as const) {
    if ((writer?.[fact] ?? null) === entry[fact]) continue;
    found.push(`${name} says ${fact} ${writer?.[fact]}, the manifest says ${entry[fact]}`);
  }
  const known = manifest.warnings.some(
    ({ code, artefact }) => code === "writerUnknown" && artefact === name,
  );
  if (writer?.execution !== manifest.execution.arn && !known) {
    found.push(`${name} was written by ${writer?.execution ?? "nobody known"}, not by this run`);
  }
  if (entry.lock && !isKept(stored.lock, entry.lock)) {
    const now = stored.lock ? `${stored.lock.mode} until ${stored.lock.retainUntil}` : "nothing";
    found.push(`${name} was locked until ${entry.lock.retainUntil}, now by ${now}`);
  }
  return check(what, found);
}

export function versionProblems(name: string, { versions }: StoredFile): readonly string[] {
  return versions > 1 ? [`${name} was changed: the bucket has ${versions} versions`] : [];
}

/** A lock may be made longer and stricter, never less. */
function isKept(now: ObjectLock | null, sealed: ObjectLock): boolean {
  if (now === null || Date.parse(now.retainUntil) < Date.parse(sealed.retainUntil)) return false;
  return now.mode === sealed.mode || now.mode === "COMPLIANCE";
}
