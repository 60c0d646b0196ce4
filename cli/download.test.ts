import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { serve } from "../test/servers/loopback.ts";
import { type ReleaseServer, startReleaseServer } from "../test/servers/release-server.ts";
import { type DownloadOptions, download } from "./download.ts";

const content = randomBytes(1_000_000);
const sha256 = createHash("sha256").update(content).digest("hex");

let folder: string;
let server: ReleaseServer | undefined;
let lines: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "download-test-"));
  lines = [];
});
afterEach(async () => {
  server?.stop();
  await rm(folder, { recursive: true });
});

const file = () => join(folder, "kubectl");

async function publish(
  options: Parameters<typeof startReleaseServer>[1] = {},
  bytes: Buffer = content,
): Promise<void> {
  server = await startReleaseServer({ "/kubectl": bytes }, options);
}

const options = (change: Partial<DownloadOptions> = {}): DownloadOptions => ({
  url: `http://${server?.address}/kubectl`,
  file: file(),
  sha256,
  progress: (line) => lines.push(line),
  retryAfterMs: 0,
  ...change,
});

test("a file arrives whole, and is not fetched again", async () => {
  await publish();

  await download(options());
  await download(options());

  expect(await readFile(file())).toEqual(content);
  expect(server?.startedAt).toEqual([0]);
});

test("a connection that breaks off is resumed where it broke", async () => {
  await publish({ breakAfter: (answer) => (answer <= 2 ? 300_000 : undefined) });

  await download(options());

  expect(await readFile(file())).toEqual(content);
  const [first, ...later] = server?.startedAt ?? [];
  expect(first).toBe(0);
  expect(later).toHaveLength(2);
  for (const start of later) expect(start).toBeGreaterThan(0);
  expect(lines.filter((line) => line.includes("broke off at"))).toHaveLength(2);
});

test("what an earlier run left is gone on with", async () => {
  await publish();
  await writeFile(`${file()}.part`, content.subarray(0, 400_000));

  await download(options());

  expect(await readFile(file())).toEqual(content);
  expect(server?.startedAt).toEqual([400_000]);
});

test("a server that knows no ranges sends it all again", async () => {
  await publish({ ranges: false });
  await writeFile(`${file()}.part`, content.subarray(0, 400_000));

  await download(options());

  expect(await readFile(file())).toEqual(content);
});

test("a whole part is only verified", async () => {
  await publish();
  await writeFile(`${file()}.part`, content);

  await download(options());

  expect(await readFile(file())).toEqual(content);
  expect(server?.startedAt).toEqual([]);
});

test.each([
  [
    "altered at the server",
    async () => publish({}, Buffer.from(content).fill(~(content[0] ?? 0), 0, 1)),
  ],
  [
    "begun from something else",
    async () => {
      await publish();
      await writeFile(`${file()}.part`, randomBytes(1_000));
    },
  ],
])("bytes that were %s are deleted and used for nothing", async (_, prepare) => {
  await prepare();

  await expect(download(options())).rejects.toThrow(`not ${sha256}: it was deleted`);

  expect(existsSync(file())).toBe(false);
  expect(existsSync(`${file()}.part`)).toBe(false);
});

test("a server that sends nothing is given up after some tries, and what is there is kept", async () => {
  await publish({ breakAfter: () => 0 });
  await writeFile(`${file()}.part`, content.subarray(0, 400_000));

  await expect(download(options())).rejects.toThrow(/broke off at 0\.4 MB.*Run it again/);

  expect(server?.startedAt).toHaveLength(5);
  expect(await readFile(`${file()}.part`)).toEqual(content.subarray(0, 400_000));
});

test("a file that is not published is said at once", async () => {
  await publish();

  const missing = download(options({ url: `http://${server?.address}/other` }));

  await expect(missing).rejects.toThrow("/other answered 404");
});

test("a server that falls silent counts as broken off", async () => {
  let answers = 0;
  const silent = await serve((_, response) => {
    answers += 1;
    response.writeHead(200, { "content-length": content.length }).flushHeaders();
  });
  try {
    const url = `http://${silent.address}/kubectl`;

    const given = download(options({ url, silenceLimitMs: 20 }));

    await expect(given).rejects.toThrow("silent for 0.02 s");
    expect(answers).toBe(5);
  } finally {
    silent.stop();
  }
});
