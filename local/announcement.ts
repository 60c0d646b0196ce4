/**
 * How the command line finds the stage that `npm run local` keeps up: one small file that says where
 * it is. A stage that was killed cannot remove it, so it counts only while its process lives and its
 * endpoint accepts connections.
 */
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import * as z from "zod";
import { cacheFolder } from "./project.ts";

const file = join(cacheFolder, "local-stage.json");
const connectLimitMs = 2_000;

const announcement = z.object({
  awsEndpoint: z.url(),
  region: z.string(),
  /** Path of the administrator's kubeconfig. */
  kubeconfig: z.string(),
  pid: z.int().positive(),
  /** ISO 8601, UTC. */
  startedAt: z.iso.datetime(),
});
export type Announcement = z.infer<typeof announcement>;

/** The announced stage that is up now, if there is one. */
export async function findRunningStage(): Promise<Announcement | undefined> {
  const announced = await read();
  if (!announced || !isAlive(announced.pid)) return undefined;
  return (await accepts(announced.awsEndpoint)) ? announced : undefined;
}

/** Throws when another announced stage is up: the command line would not know which one is meant. */
export async function refuseSecondStage(): Promise<void> {
  const running = await findRunningStage();
  if (!running) return;
  throw new Error(
    `A local stage is already up since ${running.startedAt} (process ${running.pid}, ${running.awsEndpoint}). Stop it with Ctrl-C in its terminal or \`kill ${running.pid}\`, then start again.`,
  );
}

/** Publishes the stage. Atomic: a reader never sees half a file, and of two at once one is refused. */
export async function announce(stage: Announcement): Promise<void> {
  await mkdir(cacheFolder, { recursive: true });
  const complete = `${file}.${stage.pid}`;
  await writeFile(complete, `${JSON.stringify(stage, null, 2)}\n`);
  try {
    await refuseSecondStage();
    await rm(file, { force: true });
    await link(complete, file); // unlike rename, this refuses to replace
  } finally {
    await rm(complete, { force: true });
  }
}

/** Takes back what this process announced, and nobody else's. */
export async function withdraw(pid: number): Promise<void> {
  if ((await read())?.pid === pid) await rm(file, { force: true });
}

async function read(): Promise<Announcement | undefined> {
  try {
    return announcement.parse(JSON.parse(await readFile(file, "utf8")));
  } catch {
    // Absent, or written by another version of this file: nobody we could talk to.
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function accepts(endpoint: string): Promise<boolean> {
  const { hostname, port } = new URL(endpoint);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), timeout: connectLimitMs });
    const answer = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once("connect", () => answer(true));
    socket.once("timeout", () => answer(false));
    socket.once("error", () => answer(false));
  });
}
