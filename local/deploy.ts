/** Deploys the app to the emulated AWS with the same command that deploys it to the real one. */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { childEnvironment } from "./environment.ts";
import { runLeashed } from "./leash.ts";
import { withLock } from "./lock.ts";
import { nodeModules, type Progress, projectRoot } from "./project.ts";

/** A first deploy takes 15-25 s; a bootstrap whose custom resource hangs would wait for an hour. */
const deployLimitMs = 8 * 60_000;

export interface DeployOptions {
  /** How to reach the emulated AWS, from `awsEnvironment()`. */
  readonly environment: Readonly<Record<string, string>>;
  readonly logFile: string;
  readonly progress: Progress;
  readonly signal?: AbortSignal | undefined;
}

/** Runs an unmodified `sst deploy --stage local`. Throws with the end of its log when it fails. */
export async function deployApp(options: DeployOptions): Promise<void> {
  const { progress, signal, logFile } = options;
  const stateFolder = join(projectRoot, ".sst");
  await mkdir(stateFolder, { recursive: true });
  // SST builds into .sst of the project, so two stages take turns here.
  const lockOptions = {
    waiting: "deploy: another start is deploying from this project; waiting for that",
    progress,
    waitLimitMs: 3 * deployLimitMs,
    signal,
  };
  await withLock(join(stateFolder, "deploy"), lockOptions, () =>
    runLeashed(join(nodeModules, ".bin", "sst"), ["deploy", "--stage", "local"], {
      what: "Deploying the app",
      cwd: projectRoot,
      env: {
        ...childEnvironment(),
        ...options.environment,
        TMPDIR: dirname(logFile), // the cloud assembly, megabytes of it, goes with the stage
        SST_TELEMETRY_DISABLED: "1",
        CI: "1",
      },
      logFile,
      timeLimitMs: deployLimitMs,
      signal,
    }),
  );
}
