import { type Check, check, MANIFEST_NAME, notChecked } from "./checks.ts";
import { clockWarnings } from "./clock.ts";
import { type Manifest, parseManifest, sha256 } from "./manifest.ts";
import type { RunFile, RunFolder } from "./run-folder.ts";
import { checkArtefacts } from "./verify-artefacts.ts";
import { checkChain } from "./verify-chain.ts";

export interface Verification {
  readonly runId: string | null;
  /** True when no check failed; what could not be checked is in `checks`. */
  readonly verified: boolean;
  /** Number of artefacts that the manifest names. */
  readonly artefacts: number;
  /** SHA-256 of manifest.json: who wrote it down at another time compares it here. */
  readonly manifestSha256: string | null;
  readonly checks: readonly Check[];
  /** What the checks that failed found. */
  readonly problems: readonly string[];
}

/**
 * Recomputes a run from its bytes and compares it with its manifest, and the manifest with what the
 * bucket knows: every artefact there, none added, changed, renamed or overwritten; versions, writers,
 * locks and times as they were sealed; the manifest the one that the case recorded, and chained to
 * the run before it. In a downloaded copy what only the bucket knows is checked against the listing
 * beside it, or said not to have been checked.
 */
export async function verifyRun(folder: RunFolder): Promise<Verification> {
  const present = await folder.list();
  const there = "there is a manifest of a version that is known";
  const isHere = ({ name, stored }: RunFile) =>
    name === MANIFEST_NAME && stored?.versionId !== null;
  if (!present.some(isHere)) {
    const problem = `there is no ${MANIFEST_NAME}: the run was never sealed, or this is not a run`;
    return verification(null, null, [check(there, [problem])]);
  }
  const bytes = await folder.read(MANIFEST_NAME);
  const digest = sha256(bytes);
  const manifest = parseManifest(bytes);
  if (typeof manifest === "string") {
    return verification(null, digest, [check(there, [`${MANIFEST_NAME} ${manifest}`])]);
  }
  return verification(manifest, digest, [
    check(there, []),
    placeCheck(folder, manifest),
    ...(await checkArtefacts(folder, present, manifest)),
    ...clockChecks(manifest),
    ...(await checkChain(folder, present, { manifest, sha256: digest, size: bytes.byteLength })),
  ]);
}

function verification(
  manifest: Manifest | null,
  manifestSha256: string | null,
  checks: readonly Check[],
): Verification {
  const failed = checks.filter(({ outcome }) => outcome === "failed");
  return {
    runId: manifest?.runId ?? null,
    verified: failed.length === 0,
    artefacts: manifest?.artefacts.length ?? 0,
    manifestSha256,
    checks,
    problems: failed.flatMap(({ found }) => found),
  };
}

function placeCheck({ runId }: RunFolder, manifest: Manifest): Check {
  const what = `the manifest is of the run that the folder is named for, ${manifest.runId}`;
  if (runId === null) return notChecked(what, "a downloaded folder may bear any name");
  if (runId === manifest.runId) return check(what, []);
  return check(what, [
    `${MANIFEST_NAME} is of run ${manifest.runId}, and lies in that of ${runId}`,
  ]);
}

/** What the clocks say that the manifest does not say itself was not so when it was sealed. */
function clockChecks(manifest: Manifest): readonly Check[] {
  const { artefacts, execution, sealedAt, warnings } = manifest;
  const found = clockWarnings(artefacts, { startedAt: execution.startedAt, sealedAt });
  const messages = new Set(warnings.map(({ message }) => message));
  const news = found.filter(({ message }) => !messages.has(message));
  const gone = warnings
    .filter(({ code }) => code === "clockSkewed" || code === "clockBackwards")
    .filter(({ message }) => !found.some((warning) => warning.message === message));
  return [
    check("no clock goes backwards: times follow the order of the states, and S3's clock", [
      ...news.map(({ code, message }) => `${message} (${code})`),
      ...gone.map(({ message }) => `sealed with a warning that no longer holds: ${message}`),
    ]),
    ...warnings.map(
      ({ code, message }): Check => ({
        what: "nothing was odd when the run was sealed",
        outcome: "warning",
        found: [`${message} (${code})`],
      }),
    ),
  ];
}
