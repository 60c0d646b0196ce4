import { Manifest, sha256 } from "./manifest.ts";

/** A run's folder, wherever it lies: the bucket, or a copy on an analyst's disk. */
export interface RunFolder {
  list(): Promise<readonly RunFile[]>;
  read(name: string): Promise<Uint8Array>;
}

export interface RunFile {
  readonly name: string;
  /** Of the newest version; null where there are no versions. */
  readonly versionId: string | null;
  /** How often it was written or deleted; evidence is written once. */
  readonly versions: number;
}

export interface Verification {
  readonly runId: string | null;
  readonly verified: boolean;
  /** Number of artefacts that the manifest names. */
  readonly artefacts: number;
  /** One line for each difference between the folder and its manifest. */
  readonly problems: readonly string[];
}

const MANIFEST = "manifest.json";

/**
 * Recomputes a run from its bytes alone and compares it with its manifest: every artefact there,
 * none added, none changed, none overwritten since. The manifest itself is protected by the
 * bucket's Object Lock; in a downloaded copy it is as trustworthy as the way it was downloaded.
 */
export async function verifyRun(folder: RunFolder): Promise<Verification> {
  const present = await folder.list();
  if (!present.some(({ name }) => name === MANIFEST)) {
    return failed(`there is no ${MANIFEST}: the run was never sealed, or this is not a run`);
  }
  const manifest = parseManifest(await folder.read(MANIFEST));
  if (typeof manifest === "string") return failed(`${MANIFEST} ${manifest}`);

  const problems: string[] = [];
  const named = new Set([MANIFEST, ...manifest.artefacts.map(({ name }) => name)]);
  if (named.size !== manifest.artefacts.length + 1) {
    problems.push(`${MANIFEST} names an artefact twice, or itself`);
  }
  for (const { name, versions } of present) {
    if (!named.has(name)) problems.push(`${name} is not in the manifest`);
    if (versions > 1) problems.push(`${name} was changed: the bucket has ${versions} versions`);
  }
  for (const entry of manifest.artefacts) {
    const there = present.find(({ name }) => name === entry.name);
    if (!there) {
      problems.push(`${entry.name} is missing`);
      continue;
    }
    if (there.versionId !== null && there.versionId !== entry.versionId) {
      problems.push(
        `${entry.name} was written again: version ${there.versionId} is not the sealed`,
      );
    }
    const bytes = await folder.read(entry.name);
    if (bytes.byteLength !== entry.size) {
      problems.push(`${entry.name} has ${bytes.byteLength} bytes, sealed were ${entry.size}`);
    }
    const digest = sha256(bytes);
    if (digest !== entry.sha256) {
      problems.push(`${entry.name} has SHA-256 ${digest}, sealed was ${entry.sha256}`);
    }
  }
  return {
    runId: manifest.runId,
    verified: problems.length === 0,
    artefacts: manifest.artefacts.length,
    problems,
  };
}

function failed(problem: string): Verification {
  return { runId: null, verified: false, artefacts: 0, problems: [problem] };
}

/** The manifest, or what is wrong with it. */
function parseManifest(bytes: Uint8Array): Manifest | string {
  try {
    const parsed = Manifest.safeParse(JSON.parse(Buffer.from(bytes).toString("utf8")));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    return `is not a manifest: ${issue?.path.join(".")}: ${issue?.message}`;
  } catch (error) {
    return `is not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}
