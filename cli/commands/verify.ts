import { bucketRunFolder, localRunFolder } from "../../adapters/run-folder.ts";
import { verifyRun } from "../../core/evidence/verify.ts";
import { reach } from "../stage.ts";

interface Options {
  readonly stage: string;
  readonly json?: boolean;
}

/** `containment verify`: exit code 0 only when every byte is as it was sealed. */
export async function verify(where: string, { stage, json }: Options): Promise<void> {
  const folder = where.startsWith("s3://")
    ? bucketRunFolder(where, await reach(stage))
    : localRunFolder(where);
  const verification = await verifyRun(folder);
  process.exitCode = verification.verified ? 0 : 1;
  if (json) {
    console.log(JSON.stringify(verification));
    return;
  }
  if (verification.verified) {
    const { runId, artefacts } = verification;
    console.log(`verified: run ${runId}, ${artefacts} artefacts as they were sealed`);
    return;
  }
  console.log("NOT verified:");
  for (const problem of verification.problems) console.log(`  ${problem}`);
}
