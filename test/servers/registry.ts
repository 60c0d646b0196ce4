/** Real image registries on loopback: crane's own, and a way in that watches what passes. */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CRANE, goProgram } from "../../local/go-program.ts";
import { freePorts } from "../../local/ports.ts";
import { findGoToolchain } from "../../local/prerequisites.ts";
import { waitFor } from "../../local/wait.ts";
import { runProgram } from "../programs.ts";
import { type LoopbackServer, serve } from "./loopback.ts";

/** The path of crane, built once for this machine. */
export async function craneBinary(): Promise<string> {
  const go = await findGoToolchain();
  if (!go) throw new Error("these tests build crane with Go 1.25 or newer, and there is none");
  return goProgram(CRANE, go, console.error);
}

export type Registry = LoopbackServer;

export async function startRegistry(crane: string): Promise<Registry> {
  const [port = 0] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  const server = spawn(crane, ["registry", "serve", "--address", address], { stdio: "ignore" });
  await waitFor({ what: `a registry on ${address}`, limitMs: 20_000 }, async () =>
    fetch(`http://${address}/v2/`).then(
      ({ ok }) => ok || undefined,
      () => undefined, // nobody listens yet
    ),
  );
  return { address, stop: () => server.kill() };
}

/** One request on its way to a registry. */
export interface Passing {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Gate extends Registry {
  /** Everything that asked for a change, in order. */
  readonly writes: Passing[];
}

/**
 * A registry in front of another. `refuse` answers for it when it returns a status; `alter` may
 * change the bytes of an answer; `onAnswer` hears of each answer before it is passed on.
 */
export async function startGate(
  behind: Registry,
  options: {
    refuse?(passing: Passing): number | undefined;
    alter?(passing: Passing, body: Buffer): Buffer;
    onAnswer?(passing: Passing, status: number): void;
  } = {},
): Promise<Gate> {
  const writes: Passing[] = [];
  const server = await serve((incoming, outgoing) => {
    const { method = "", url: path = "", headers } = incoming;
    const passing = { method, path, headers };
    const status = options.refuse?.(passing);
    if (status !== undefined) {
      const challenge = status === 401 ? { "www-authenticate": 'Basic realm="registry"' } : {};
      outgoing.writeHead(status, challenge).end();
      return;
    }
    if (method !== "GET" && method !== "HEAD") writes.push(passing);
    pass(incoming, outgoing, behind.address, (answer, body) => {
      options.onAnswer?.(passing, answer.statusCode ?? 0);
      return options.alter?.(passing, body) ?? body;
    });
  });
  return { ...server, writes };
}

function pass(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  to: string,
  altered: (answer: IncomingMessage, body: Buffer) => Buffer,
): void {
  const [host = "", port = ""] = to.split(":");
  const { method, url, headers } = incoming;
  const onward = request({ host, port, method, path: url, headers }, async (answer) => {
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk);
    const body = altered(answer, Buffer.concat(chunks));
    const { "content-length": told, ...rest } = answer.headers;
    const length = method === "HEAD" ? told : String(body.length);
    outgoing.writeHead(answer.statusCode ?? 502, { ...rest, "content-length": length }).end(body);
  });
  onward.on("error", () => outgoing.destroy());
  incoming.on("error", () => onward.destroy());
  incoming.pipe(onward);
}

/** Puts an image for two platforms into a registry: an index of two manifests with two layers each. */
export async function pushImage(crane: string, repository: string, tag: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "containment-image-"));
  try {
    const platforms = ["amd64", "arm64"];
    for (const platform of platforms) {
      const layers: string[] = [];
      for (const layer of ["base", "program"]) {
        const file = join(folder, `${layer}-${platform}`);
        await writeFile(file, `${repository} ${tag} ${layer} for ${platform}`);
        await runProgram("tar", ["-cf", `${file}.tar`, "-C", folder, `${layer}-${platform}`]);
        layers.push("-f", `${file}.tar`);
      }
      await runProgram(crane, ["append", ...layers, "-t", `${repository}:${platform}`]);
    }
    const manifests = platforms.flatMap((platform) => ["-m", `${repository}:${platform}`]);
    await runProgram(crane, ["index", "append", ...manifests, "-t", `${repository}:${tag}`]);
  } finally {
    await rm(folder, { recursive: true });
  }
}
