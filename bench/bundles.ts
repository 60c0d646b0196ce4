/** What each function weighs and how long it takes to load, as deployed. */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GetFunctionCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { unzipSync } from "fflate";
import type { AwsClientConfig } from "../local/stage.ts";
import { type Summary, summarise } from "./statistics.ts";

export interface Bundle {
  readonly state: string;
  /** Minified bytes of the handler's module. */
  readonly bytes: number;
  /** Milliseconds to load it in a fresh process, Node's own start not counted. */
  readonly initMs: Summary;
}

const ROUNDS = 15;

/** Downloads the deployed code of a state's function and loads it in fresh processes. */
export async function measureBundle(
  aws: AwsClientConfig,
  functionName: string,
  state: string,
): Promise<Bundle> {
  const { Code, Configuration } = await new LambdaClient(aws).send(
    new GetFunctionCommand({ FunctionName: functionName }),
  );
  const answer = await fetch(Code?.Location ?? "");
  const files = unzipSync(new Uint8Array(await answer.arrayBuffer()));
  const [, bytes] = Object.entries(files).find(([name]) => name.endsWith(".mjs")) ?? [];
  if (!bytes) throw new Error(`${functionName} holds no module`);

  const folder = await mkdtemp(join(tmpdir(), "containment-bench-"));
  try {
    const file = join(folder, "handler.mjs");
    await writeFile(file, bytes);
    const env = {
      PATH: process.env.PATH,
      AWS_REGION: aws.region,
      ...Configuration?.Environment?.Variables,
    };
    const code = `const t = performance.now(); await import(${JSON.stringify(file)}); console.log(performance.now() - t); process.exit(0)`;
    const rounds = Array.from({ length: ROUNDS }, () => {
      const { stdout, stderr, status } = spawnSync(
        process.execPath,
        ["--input-type=module", "-e", code],
        { env, encoding: "utf8" },
      );
      if (status !== 0) throw new Error(`${functionName} does not load: ${stderr}`);
      return Number(stdout.trim().split("\n").at(-1));
    });
    return { state, bytes: bytes.byteLength, initMs: summarise(rounds) };
  } finally {
    await rm(folder, { recursive: true });
  }
}
