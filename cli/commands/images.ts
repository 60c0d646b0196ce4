import { readImageRegistry } from "../../adapters/aws/deployment.ts";
import { registryAuthorization } from "../../adapters/aws/image-registry.ts";
import { interrupted, listenForInterruption } from "../../local/interruption.ts";
import { type Crane, craneWith } from "../crane.ts";
import {
  bring,
  copiesOf,
  type ImageCopy,
  ImageDiffers,
  type Outcome,
  pin,
  privateReference,
} from "../images.ts";
import { newClusterOf } from "../new-cluster.ts";
import { withRegistryLogin } from "../registry-login.ts";
import { crane as craneProgram, requirePrograms } from "../required-programs.ts";
import { reach } from "../stage.ts";

interface Options {
  readonly stage: string;
  readonly dryRun?: boolean;
  readonly pin?: string;
  readonly json?: boolean;
}

/**
 * `containment images`: copies the images of the stage's settings into its private registry. Exit
 * code 1 when the registry holds something else under an image's tag.
 */
export async function images({ stage, dryRun = false, pin: tag, json }: Options): Promise<void> {
  await requirePrograms([craneProgram()]);
  if (tag !== undefined) {
    const { name, reference } = await pin(tag, craneIn(process.env));
    const entry = `${JSON.stringify(name)}: ${JSON.stringify(reference)}`;
    console.log(json ? `{${entry}}` : `${entry},`);
    return;
  }
  const settings = newClusterOf(stage).images;
  if (Object.keys(settings).length === 0) {
    throw new Error(
      `stage "${stage}" names no images; \`containment images --pin <image>:<tag>\` prints a line for cluster.create.images in stages.ts`,
    );
  }
  listenForInterruption(() => console.error("Stopping; run it again to go on."));
  const aws = await reach(stage);
  const registry = await readImageRegistry(stage, aws);
  const [host = ""] = registry.split("/");
  const login = { registry: host, authorization: await registryAuthorization(aws) };
  const say = json ? console.error : console.log;
  const copies = copiesOf(settings, registry);
  const done = await withRegistryLogin(login, (environment) =>
    bringAll(copies, { crane: craneIn(environment, say), dryRun, say }),
  ).catch((cause) => {
    if (!interrupted.aborted) throw cause;
    throw new Error("interrupted; run it again and it goes on where it stopped", { cause });
  });
  if (json) console.log(JSON.stringify(done));
}

interface Done {
  readonly name: string;
  readonly source: string;
  readonly image: string;
  readonly outcome: Outcome | "differs";
}

/** One after the other, so that an interruption leaves whole images and at most one half. */
async function bringAll(
  copies: readonly ImageCopy[],
  { crane, dryRun, say }: { crane: Crane; dryRun: boolean; say: (line: string) => void },
): Promise<Done[]> {
  const done: Done[] = [];
  for (const copy of copies) {
    const about = { name: copy.name, source: copy.source, image: privateReference(copy) };
    try {
      const outcome = await bring(copy, crane, dryRun);
      say(`${copy.name}: ${SAID[outcome]} ${about.image}`);
      done.push({ ...about, outcome });
    } catch (error) {
      if (!(error instanceof ImageDiffers)) throw error;
      say(`${copy.name}: ${error.message}`);
      process.exitCode = 1;
      done.push({ ...about, outcome: "differs" });
    }
  }
  return done;
}

const SAID: Readonly<Record<Outcome, string>> = {
  present: "is there, verified:",
  copied: "copied and verified:",
  missing: "would be copied to",
};

function craneIn(environment: NodeJS.ProcessEnv, progress?: (line: string) => void): Crane {
  return craneWith({
    command: craneProgram().command,
    environment,
    signal: interrupted,
    progress: progress && ((line) => progress(`  ${line}`)),
  });
}
