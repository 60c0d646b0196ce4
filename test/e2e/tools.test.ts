/**
 * kubectl on its way to the bastion: a release server that breaks off, the emulated S3, and a Systems
 * Manager of our own, because the emulated one reaches only instances that are containers.
 */
import { createHash, randomBytes, randomInt } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { readBastion } from "../../adapters/aws/deployment.ts";
import { instanceCommands } from "../../adapters/aws/instance-commands.ts";
import { toolsBucket } from "../../adapters/aws/tools-bucket.ts";
import { cacheFolder } from "../../local/project.ts";
import { type Ended, endOfProgram } from "../programs.ts";
import { startReleaseServer } from "../servers/release-server.ts";
import { type SystemsManager, startSystemsManager } from "../servers/systems-manager.ts";
import { aws, stage } from "./harness.ts";

const root = join(import.meta.dirname, "../..");
const content = randomBytes(2_000_000);
const sha256 = createHash("sha256").update(content).digest("hex");
/** No release has such a patch, so nothing in the cache can be taken for it. */
const version = `v1.35.${randomInt(1_000_000, 10_000_000)}`;
const key = `tools/kubectl/${version}/linux-arm64/kubectl`;

let bastion: Awaited<ReturnType<typeof readBastion>>;
let systemsManager: SystemsManager;

beforeAll(async () => {
  bastion = await readBastion("local", aws);
  // The script would install kubectl on this machine: here it is only read.
  const shell = ["sh", "-nc"] as const;
  systemsManager = await startSystemsManager({ instanceId: bastion.instanceId, shell });
});
afterAll(async () => {
  systemsManager.stop();
  await rm(join(cacheFolder, "tools", `kubectl-${version}-linux-arm64`), { force: true });
});

/** `containment tools …`, with a release server that publishes this checksum. */
async function tools(published: string, ...rest: string[]): Promise<Ended> {
  const path = `/${version}/bin/linux/arm64/kubectl`;
  const releases = await startReleaseServer(
    { "/stable-1.35.txt": version, [path]: content, [`${path}.sha256`]: published },
    { breakAfter: (answer) => (answer === 1 ? 500_000 : undefined) },
  );
  onTestFinished(() => releases.stop());
  const from = `http://${releases.address}`;
  const command = ["cli/containment.ts", "tools", "--stage", "local", "--from", from, ...rest];
  const env = {
    ...process.env,
    ...stage.environment,
    AWS_ENDPOINT_URL_SSM: `http://${systemsManager.address}`,
  };
  return endOfProgram(process.execPath, command, { cwd: root, env });
}

const bucket = () => toolsBucket(bastion.toolsBucket, aws);

test("kubectl with another checksum than the published one goes nowhere", async () => {
  const { code, err } = await tools("0".repeat(64));

  expect(code).toBe(2);
  expect(err).toContain(`has SHA-256 ${sha256}, not 000`);
  expect(await bucket().has(key, sha256)).toBe(false);
});

test("a dry run says what would be done; then it is done, once", async () => {
  const said = await tools(sha256, "--dry-run");
  expect(said).toMatchObject({ code: 0, err: "" });
  expect(said.out).toContain(`would be uploaded to s3://${bastion.toolsBucket}/${key}`);
  expect(await bucket().has(key, sha256)).toBe(false);

  const done = await tools(sha256);
  expect(done).toMatchObject({ code: 0, err: "" });
  expect(done.out).toContain("broke off at");
  expect(done.out).toContain("where S3 has verified it");
  expect(done.out).toContain(`installed on ${bastion.instanceId}`);
  const { Body } = await new S3Client(aws).send(
    new GetObjectCommand({ Bucket: bastion.toolsBucket, Key: key }),
  );
  expect(Buffer.from((await Body?.transformToByteArray()) ?? "")).toEqual(content);

  expect((await tools(sha256)).out).toContain(`is there: s3://${bastion.toolsBucket}/${key}`);
});

test("S3 refuses bytes that changed on the way", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tools-test-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "kubectl");
  await writeFile(file, "altered");

  await expect(bucket().put("tools/altered", file, sha256)).rejects.toThrow(/checksum/i);

  expect(await bucket().has("tools/altered", sha256)).toBe(false);
});

test("an instance that has not reported to Systems Manager is not online", async () => {
  expect(await instanceCommands(aws).isOnline(bastion.instanceId)).toBe(false);
});
