import { existsSync, statSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import {
  craneBinary,
  type Gate,
  pushImage,
  type Registry,
  startGate,
  startRegistry,
} from "../test/servers/registry.ts";
import { craneWith } from "./crane.ts";
import { withRegistryLogin } from "./registry-login.ts";

const authorization = Buffer.from("AWS:not-for-others").toString("base64");

let crane: string;
let open: Registry;
let guarded: Gate;
let home: string;

beforeAll(async () => {
  crane = await craneBinary();
}, 300_000);
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "registry-login-test-"));
  open = await startRegistry(crane);
  guarded = await startGate(open, {
    refuse: ({ headers }) => (headers.authorization === `Basic ${authorization}` ? undefined : 401),
  });
  await pushImage(crane, `${open.address}/busybox`, "1");
});
afterEach(async () => {
  guarded.stop();
  open.stop();
  await rm(home, { recursive: true });
});

/** The operator's environment, with what they have in ~/.docker/config.json. */
async function operator(dockerConfig: object): Promise<NodeJS.ProcessEnv> {
  await mkdir(join(home, ".docker"), { recursive: true });
  await writeFile(join(home, ".docker", "config.json"), JSON.stringify(dockerConfig));
  return { PATH: `${home}:${process.env.PATH}`, HOME: home };
}

const credentials = () => ({ registry: guarded.address, authorization });

test("crane gets in with the login, past a credential store of the operator's, and not without", async () => {
  const environment = await operator({ credsStore: "empty" });
  await writeFile(
    join(home, "docker-credential-empty"),
    "#!/bin/sh\necho credentials not found in native keychain\nexit 1\n",
    { mode: 0o755 },
  );
  const image = `${guarded.address}/busybox:1`;
  const digestWith = (env: NodeJS.ProcessEnv) =>
    craneWith({ command: crane, environment: env }).digest(image);

  const found = await withRegistryLogin(credentials(), digestWith, environment);

  expect(found).toMatch(/^sha256:/);
  await expect(digestWith(environment)).rejects.toThrow("401");
});

test("the operator's logins for other registries stay in force", async () => {
  const other = await startGate(open, {
    refuse: ({ headers }) => (headers.authorization === "Basic dTpw" ? undefined : 401),
  });
  const environment = await operator({ auths: { [other.address]: { auth: "dTpw" } } });
  try {
    const found = await withRegistryLogin(
      credentials(),
      (env) => craneWith({ command: crane, environment: env }).digest(`${other.address}/busybox:1`),
      environment,
    );

    expect(found).toMatch(/^sha256:/);
  } finally {
    other.stop();
  }
});

test("the password lies in a file of this user's own only while it is needed", async () => {
  let folder = "";
  const failing = withRegistryLogin(credentials(), async ({ DOCKER_CONFIG = "", ...rest }) => {
    folder = DOCKER_CONFIG;
    expect(statSync(join(folder, "config.json")).mode & 0o777).toBe(0o600);
    expect(JSON.stringify(rest)).not.toContain(authorization);
    throw new Error("failed");
  });

  await expect(failing).rejects.toThrow("failed");
  expect(folder).not.toBe("");
  expect(existsSync(folder)).toBe(false);
});
