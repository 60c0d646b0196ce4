/** Images in registries, through `crane` of google/go-containerregistry. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import * as z from "zod";

export interface CraneOptions {
  readonly command: string;
  /** The whole environment; DOCKER_CONFIG names the folder with the registries' credentials. */
  readonly environment: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
  /** Called with what a copy says about each blob and manifest. */
  readonly progress?: ((line: string) => void) | undefined;
}

export interface Crane {
  /** The digest that a reference has in its registry, null when the registry has no such image. */
  digest(reference: string): Promise<string | null>;
  /** Copies an image, all its platforms, byte for byte. Blobs that are there are not sent again. */
  copy(source: string, target: string): Promise<void>;
  /**
   * Reads the manifest and those that it lists back from the registry; crane refuses bytes that do
   * not hash to the digest that was asked for. The blobs below them the registry hashed itself.
   */
  verify(repository: string, digest: string): Promise<void>;
}

export function craneWith(options: CraneOptions): Crane {
  async function verify(repository: string, digest: string): Promise<void> {
    const manifest = await run(options, ["manifest", `${repository}@${digest}`]);
    for (const child of childrenOf(manifest)) await verify(repository, child);
  }

  return {
    async digest(reference) {
      try {
        return (await run(options, ["digest", reference])).toString().trim();
      } catch (error) {
        if (error instanceof Error && ABSENT.test(error.message)) return null;
        throw error;
      }
    },
    async copy(source, target) {
      await run(options, ["copy", source, target], options.progress);
    },
    verify,
  };
}

/** What registries answer about an image that they do not have. */
const ABSENT = /MANIFEST_UNKNOWN|NAME_UNKNOWN/;

const Index = z.object({ manifests: z.array(z.object({ digest: z.string() })) });

/** Digests of the manifests of an index, one for each platform; none for the image of one platform. */
function childrenOf(manifest: Buffer): readonly string[] {
  const index = Index.safeParse(JSON.parse(manifest.toString()));
  return index.success ? index.data.manifests.map(({ digest }) => digest) : [];
}

/** With which crane begins a line. */
const TIMESTAMP = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /;

/** What crane printed. Throws with what it complained about when it fails. */
function run(
  { command, environment, signal }: CraneOptions,
  commandArguments: readonly string[],
  progress?: (line: string) => void,
): Promise<Buffer> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(command, commandArguments, {
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
      ...(signal && { signal }),
    });
    const output: Buffer[] = [];
    const complaints: string[] = [];
    child.stdout.on("data", (chunk) => output.push(chunk));
    createInterface({ input: child.stderr }).on("line", (line) => {
      const said = line.replace(TIMESTAMP, "");
      complaints.push(said);
      progress?.(said);
    });
    child.once("error", reject);
    child.once("close", (code, killedBy) => {
      if (code === 0) resolve(Buffer.concat(output));
      else {
        const what = `crane ${commandArguments.join(" ")} ended with ${code ?? killedBy}`;
        reject(new Error(`${what}: ${complaints.join("\n")}`));
      }
    });
  });
}
