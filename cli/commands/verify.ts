import { bucketRunFolder, localRunFolder } from "../../adapters/run-folder.ts";
import type { Check } from "../../core/evidence/checks.ts";
import { verifyRun } from "../../core/evidence/verify.ts";
import { reach } from "../stage.ts";

interface Options {
  readonly stage: string;
  readonly json?: boolean;
  readonly explain?: boolean;
}

const OUTCOMES: Readonly<Record<Check["outcome"], string>> = {
  passed: "ok",
  failed: "FAILED",
  warning: "warning",
  notChecked: "not checked",
};

/** `containment verify`: exit code 0 only when no check failed. */
export async function verify(where: string, { stage, json, explain }: Options): Promise<void> {
  const folder = where.startsWith("s3://")
    ? bucketRunFolder(where, await reach(stage))
    : localRunFolder(where);
  const verification = await verifyRun(folder);
  process.exitCode = verification.verified ? 0 : 1;
  if (json) {
    console.log(JSON.stringify(verification));
    return;
  }
  const { runId, artefacts, checks, problems, manifestSha256 } = verification;
  // What passed is only for those who ask; what is open is for everybody.
  for (const { what, outcome, found } of checks) {
    if (!explain && outcome !== "warning") continue;
    console.log(`${OUTCOMES[outcome].padEnd(12)} ${what}`);
    for (const each of found) console.log(`${"".padEnd(12)}   ${each}`);
  }
  if (!verification.verified) {
    console.log("NOT verified:");
    for (const problem of problems) console.log(`  ${problem}`);
    return;
  }
  const open = checks.filter(({ outcome }) => outcome === "notChecked").length;
  console.log(`verified: run ${runId}, ${artefacts} artefacts as they were sealed`);
  console.log(`  SHA-256 of its manifest: ${manifestSha256}`);
  const checkWas = open === 1 ? "check was" : "checks were";
  if (open > 0) console.log(`  ${open} ${checkWas} not possible here: --explain tells which`);
}
