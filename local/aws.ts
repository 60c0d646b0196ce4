/** The emulated AWS of the local stage: LocalEmu with our plugin, in a virtualenv of its own. */
import { cp, mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { buildOnce } from "./cache.ts";
import { childEnvironment, emulatedCredentials, forensicCredentials } from "./environment.ts";
import { type Leashed, logTail, runLeashed, startLeashed } from "./leash.ts";
import type { Prerequisites } from "./prerequisites.ts";
import { nodeModules, type Progress, projectRoot } from "./project.ts";
import { waitFor } from "./wait.ts";

const sources = join(projectRoot, "local", "localemu");
const installLimitMs = 20 * 60_000;
/** Five seconds on an idle machine; the rest is for one that builds beside it. */
const readyLimitMs = 120_000;
/** Our plugin ends it at once; without it, its shutdown was seen to take nine seconds. */
const graceMs = 10_000;
/** Functions stay warm for the length of a demonstration. */
const functionKeepAliveMs = 600_000;

export interface AwsOptions {
  readonly port: number;
  /** State, temporary files and the log of the emulator live and die with this folder. */
  readonly dir: string;
  /** What DescribeCluster answers; the CA is read when it is first asked for. */
  readonly eks: { readonly endpoint: string; readonly caFile: string };
  /** What functions are told is AWS, where it is not the emulator itself. */
  readonly functionsEndpoint?: string | undefined;
  readonly logFile: string;
  readonly signal?: AbortSignal | undefined;
}

export interface Aws extends Leashed {
  readonly endpoint: string;
}

/** The python of the virtualenv, which is built when the requirements or the plugin changed. */
export async function emulatorPython(
  python: Prerequisites["python"],
  progress: Progress,
  signal?: AbortSignal,
): Promise<string> {
  const folder = await buildOnce({
    name: "localemu",
    sources: [sources],
    salts: [python.path, python.version, process.platform, process.arch],
    usually: "about 1-2 minutes",
    progress,
    signal,
    build: async ({ folder, log }) => {
      const inFolder = join(folder, "bin", "python");
      // setuptools writes beside what it builds: it gets a copy, the checkout stays as it is.
      const copy = join(folder, "plugin");
      await cp(sources, copy, { recursive: true, filter: (path) => !isByproduct(path) });
      const requirements = join(copy, "requirements.txt");
      for (const [command, ...commandArguments] of [
        [python.path, "-m", "venv", folder],
        [inFolder, "-m", "pip", "install", "--no-deps", "--require-hashes", "-r", requirements],
        [inFolder, "-m", "pip", "install", "--no-deps", "--no-build-isolation", copy],
      ] as const) {
        await runLeashed(command, commandArguments, {
          what: "Installing the emulated AWS",
          env: { ...childEnvironment(), PIP_DISABLE_PIP_VERSION_CHECK: "1" },
          logFile: log,
          timeLimitMs: installLimitMs,
          signal,
        });
      }
    },
  });
  return join(folder, "bin", "python");
}

/** Starts the emulator and returns when it answers. */
export async function startAws(python: string, options: AwsOptions): Promise<Aws> {
  const temporary = join(options.dir, "tmp");
  await mkdir(temporary, { recursive: true });
  const endpoint = `http://127.0.0.1:${options.port}`;
  const server = startLeashed(python, ["-m", "localemu.runtime.main"], {
    logFile: options.logFile,
    cwd: options.dir,
    graceMs,
    signal: options.signal,
    env: {
      ...childEnvironment(),
      GATEWAY_LISTEN: `127.0.0.1:${options.port}`,
      LAMBDA_RUNTIME_EXECUTOR: "local",
      LAMBDA_SDK_NODE_MODULES: nodeModules,
      LAMBDA_KEEPALIVE_MS: String(functionKeepAliveMs),
      ...(options.functionsEndpoint && { LAMBDA_AWS_ENDPOINT_URL: options.functionsEndpoint }),
      EKS_ENDPOINT: options.eks.endpoint,
      EKS_CA_FILE: options.eks.caFile,
      // Roles may do what their policies say; whoever holds these credentials may do everything.
      IAM_ENFORCEMENT: "1",
      ROOT_ACCESS_KEYS: [emulatedCredentials, forensicCredentials]
        .map(({ accessKeyId }) => accessKeyId)
        .join(),
      // Everything that would need a container engine or the internet is off.
      EC2_VM_MANAGER: "none",
      ECS_DOCKER_BACKEND: "0",
      EKS_K8S_PROVIDER: "off",
      DISABLE_EVENTS: "1",
      SKIP_SSL_CERT_DOWNLOAD: "1",
      OVERRIDE_IN_DOCKER: "0",
      PERSISTENCE: "0",
      EAGER_SERVICE_LOADING: "0",
      DEBUG: "0",
      FILESYSTEM_ROOT: options.dir,
      TMPDIR: temporary,
    },
  });
  let exitCode: number | undefined;
  server.exited.then(({ code }) => {
    exitCode = code;
  });
  try {
    const waiting = {
      what: `${endpoint} to answer`,
      limitMs: readyLimitMs,
      signal: options.signal,
    };
    await waitFor(waiting, async () => {
      if (exitCode !== undefined) throw new Error(`The emulator ended with ${exitCode}`);
      return (await isHealthy(endpoint)) ? true : undefined;
    });
    return { ...server, endpoint };
  } catch (cause) {
    await server.stop();
    options.signal?.throwIfAborted();
    throw new Error(`The emulated AWS did not start. ${logTail(options.logFile)}`, { cause });
  }
}

async function isHealthy(endpoint: string): Promise<boolean> {
  try {
    const answer = await fetch(`${endpoint}/_localemu/health`, {
      signal: AbortSignal.timeout(2_000),
    });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    // Nobody listens yet; the caller bounds how often we come back.
    return false;
  }
}

function isByproduct(path: string): boolean {
  return /^(__pycache__|build|.*\.egg-info)$/.test(basename(path));
}
