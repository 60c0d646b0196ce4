import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { withLock } from "../local/lock.ts";

export interface DownloadOptions {
  readonly url: string;
  /** Where the whole and verified file is to be; half of it lies beside it as `<file>.part`. */
  readonly file: string;
  /** 64 hex digits. */
  readonly sha256: string;
  readonly progress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** Between two tries. @default 2000 */
  readonly retryAfterMs?: number;
  /** Without a byte for this long, a try is given up. @default 30000 */
  readonly silenceLimitMs?: number;
}

/** Tries in a row that bring nothing before it is given up. */
const FRUITLESS_TRIES = 5;

/**
 * Fetches a file and verifies it; does nothing when it is there. A connection that breaks is resumed
 * where it broke, in this run or in a later one. What does not have the checksum is deleted, and
 * `file` never holds it.
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { file, sha256, progress, signal } = options;
  await mkdir(dirname(file), { recursive: true });
  const waiting = `${basename(file)}: somebody else is fetching it; waiting for that`;
  await withLock(file, { waiting, progress, waitLimitMs: 30 * 60_000, signal }, async () => {
    if ((await sizeOf(file)) > 0 && (await sha256Of(file)) === sha256) return;
    const part = `${file}.part`;
    await fetchAll(part, options);
    const found = await sha256Of(part);
    if (found !== sha256) {
      await rm(part);
      throw new Error(
        `${options.url} has SHA-256 ${found}, not ${sha256}: it was deleted and is used for nothing`,
      );
    }
    await rename(part, file);
  });
}

export async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

async function fetchAll(part: string, options: DownloadOptions): Promise<void> {
  const { url, progress, signal, retryAfterMs = 2_000 } = options;
  for (let fruitless = 0; ; ) {
    const before = await sizeOf(part);
    if (before > 0) progress(`${basename(url)}: going on at ${megabytes(before)}`);
    try {
      await fetchRest(part, before, options);
      return;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof Refused) throw error;
      const after = await sizeOf(part);
      fruitless = after > before ? 0 : fruitless + 1;
      const why = describe(error);
      if (fruitless === FRUITLESS_TRIES) {
        throw new Error(
          `${url} broke off at ${megabytes(after)}: ${why}. Run it again to go on from there.`,
          { cause: error },
        );
      }
      progress(`${basename(url)}: broke off at ${megabytes(after)} (${why})`);
      await delay(retryAfterMs, undefined, { signal });
    }
  }
}

/** Appends what comes after the first `offset` bytes; resolves only when the answer was whole. */
async function fetchRest(part: string, offset: number, options: DownloadOptions): Promise<void> {
  const { url, signal, silenceLimitMs = 30_000 } = options;
  const silence = new AbortController();
  const silent = () => silence.abort(new Error(`silent for ${silenceLimitMs / 1000} s`));
  let timer = setTimeout(silent, silenceLimitMs);
  try {
    const answer = await fetch(url, {
      headers: {
        "accept-encoding": "identity", // the checksum and the offset are of the bytes as published
        ...(offset > 0 && { range: `bytes=${offset}-` }),
      },
      signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
    });
    const { status, headers, body } = answer;
    if (status === 416) return; // nothing comes after it; the checksum says whether that is right
    if (status >= 400 && status < 500) throw new Refused(`${url} answered ${status}`);
    if (!answer.ok || !body) throw new Error(`it answered ${status}`);
    const resumes = status === 206 && headers.get("content-range")?.startsWith(`bytes ${offset}-`);
    await pipeline(
      body,
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          clearTimeout(timer);
          timer = setTimeout(silent, silenceLimitMs);
          yield chunk;
        }
      },
      createWriteStream(part, { flags: resumes ? "a" : "w" }),
    );
  } finally {
    clearTimeout(timer);
  }
}

/** The server will not have it: no use in asking again. */
class Refused extends Error {
  override readonly name = "Refused";
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return 0;
    throw error;
  }
}

/** `fetch failed` says nothing; its cause does. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
