/**
 * `npm run bench:scale`: what a small and a large namespace cost the states of a quarantine: API
 * requests, time and memory, each state in a process of its own. Nothing is asserted.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { CoreV1Api, type KubeConfig, type V1Pod } from "@kubernetes/client-node";
import { readDeployment } from "../adapters/aws/deployment.ts";
import { describeError } from "../local/interruption.ts";
import { responderAccess } from "../local/responder.ts";
import { startLocalStage } from "../local/stage.ts";
import { SCALED_STATES, type ScaleInput, type StateCost } from "./scale-state.ts";

const run = promisify(execFile);
const SIZES = [5, 500, 5_000];
/** Requests under way at once while the pods are made. */
const MAKERS = 16;
/** A pod of a busy cluster is about as large: environment, probes, managed fields and annotations. */
const POD_BYTES = 10_000;

async function main(): Promise<void> {
  const stage = await startLocalStage({ progress: console.error });
  try {
    const { evidenceBucket: bucket } = await readDeployment("local", stage.aws);
    const { access, tokens } = await responderAccess(stage.kubernetes);
    const way = { access, tokens, bucket, aws: stage.aws };
    for (const pods of SIZES) {
      const namespace = `scale-${pods}`;
      console.error(`making ${pods} pods of ${POD_BYTES / 1_000} KB`);
      await fill(stage.kubernetes, namespace, pods);
      for (const scope of ["pod", "namespace"] as const) {
        const runId = `scale-${pods}-${scope}`;
        for (const state of SCALED_STATES) {
          const cost = await measure({ ...way, namespace, scope, state, runId });
          console.log(describe(`${pods} pods, ${scope}, ${state}`, cost));
        }
      }
    }
  } finally {
    await stage.stop();
  }
}

function describe(what: string, { requests, ms, rssMb, idleMb }: StateCost): string {
  return `${what.padEnd(40)} ${requests} requests, ${ms} ms, ${rssMb} MB (${idleMb} idle)`;
}

async function fill(kubernetes: KubeConfig, namespace: string, count: number): Promise<void> {
  const core = kubernetes.makeApiClient(CoreV1Api);
  await core.createNamespace({ body: { metadata: { name: namespace } } });
  let next = 0;
  const make = async () => {
    for (let index = next++; index < count; index = next++) {
      await core.createNamespacedPod({ namespace, body: podOf(index) });
    }
  };
  await Promise.all(Array.from({ length: MAKERS }, make));
}

function podOf(index: number): V1Pod {
  return {
    metadata: {
      name: `app-${index}`,
      labels: { app: "app", index: String(index) },
      annotations: { padding: "x".repeat(POD_BYTES * 0.3) },
    },
    spec: {
      schedulingGates: [{ name: "bench/never" }], // they are to lie there, not to run
      containers: [
        {
          ...{ name: "app", image: "registry.local/app:1" },
          env: [{ name: "PADDING", value: "x".repeat(POD_BYTES * 0.6) }],
        },
      ],
    },
  };
}

async function measure(input: ScaleInput): Promise<StateCost> {
  const script = join(import.meta.dirname, "scale-state.ts");
  const { stdout } = await run(process.execPath, [script, JSON.stringify(input)]);
  return JSON.parse(stdout);
}

await main().catch((error: unknown) => {
  console.error(describeError(error));
  process.exitCode = 1;
});
