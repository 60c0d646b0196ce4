import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod";

/** What a registry wants to see: `authorization` is base64 of `user:password`. */
export interface RegistryCredentials {
  /** Host, with its port where it has one. */
  readonly registry: string;
  readonly authorization: string;
}

const DockerConfig = z.looseObject({
  auths: z.record(z.string(), z.unknown()).optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
});

/**
 * Runs `work` with an environment in which registry clients find the credentials, beside those that
 * the operator has for other registries. They lie in a folder that only this user can read, which
 * is removed afterwards; a command line or an environment variable would show them to others.
 */
export async function withRegistryLogin<T>(
  { registry, authorization }: RegistryCredentials,
  work: (environment: NodeJS.ProcessEnv) => Promise<T>,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<T> {
  const own = await ownConfig(environment);
  const config = {
    ...own,
    auths: { ...own.auths, [registry]: { auth: authorization } },
    // An empty helper: a credential store of the operator's would be asked before the file.
    credHelpers: { ...own.credHelpers, [registry]: "" },
  };
  const folder = await mkdtemp(join(tmpdir(), "containment-registry-"));
  try {
    await writeFile(join(folder, "config.json"), JSON.stringify(config), { mode: 0o600 });
    return await work({ ...environment, DOCKER_CONFIG: folder });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The operator's own, which may hold the login of the registry that an image comes from. */
async function ownConfig(environment: NodeJS.ProcessEnv): Promise<z.infer<typeof DockerConfig>> {
  const folder = environment.DOCKER_CONFIG || join(environment.HOME ?? homedir(), ".docker");
  const file = join(folder, "config.json");
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw error;
  }
  const parsed = DockerConfig.safeParse(JSON.parse(text));
  if (!parsed.success) throw new Error(`${file}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
