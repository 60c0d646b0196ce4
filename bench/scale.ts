/**
 * `npm run bench:scale`: what a small and a large namespace cost the functions of a quarantine, in
 * time and memory. Nothing is asserted.
 */
import { parseArgs } from "node:util";
import { CoreV1Api, type KubeConfig, type V1Pod } from "@kubernetes/client-node";
import { describeError, interrupted, listenForInterruption } from "../local/interruption.ts";
import { createNodes } from "../local/scene.ts";
import { type LocalStage, startLocalStage } from "../local/stage.ts";
import { waitFor } from "../local/wait.ts";
import { quarantineOf, type StateCost } from "./scale-run.ts";

const usage = `Usage: npm run bench:scale [-- --pods 5,500,5000]

Contains a pod in a namespace of so many pods of 10 KB each, and then the namespace, on a local stage of
its own. Every function runs as it is deployed, in a process of its own with Lambda's limits for V8.
For each it prints the milliseconds that it took and the most memory that its process had.

Options:
  --pods <n,n,…>  sizes of namespaces (default 5,500,5000)
  -h, --help      show this`;

/** Requests under way at once while the pods are made. */
const MAKERS = 16;
/** Settings and annotations of a pod: with its status and managed fields it is about 10 KB of JSON. */
const SETTINGS = 40;
const ANNOTATIONS = 15;

const { values } = parseArgs({
  options: {
    pods: { type: "string", default: "5,500,5000" },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) console.log(usage);
else {
  listenForInterruption(() => console.error("\nStopping"));
  try {
    await bench(values.pods.split(",").map(Number));
  } catch (error) {
    if (!interrupted.aborted) console.error(describeError(error));
    process.exitCode = 1;
  }
}

async function bench(sizes: readonly number[]): Promise<void> {
  const stage = await startLocalStage({ progress: console.error, signal: interrupted });
  try {
    const nodes = (await createNodes(stage)).map(({ name }) => name);
    for (const pods of sizes) {
      const namespace = `scale-${pods}`;
      console.error(`making ${pods} pods`);
      await fill(stage.kubernetes, { namespace, pods, nodes });
      for (const pod of ["app-0", null]) {
        console.log(`\n${pod === null ? "A namespace" : "A pod in a namespace"} of ${pods} pods`);
        for await (const cost of quarantineOf({ namespace, pod }, stage)) console.log(line(cost));
      }
      await empty(stage, namespace);
    }
  } finally {
    await stage.stop();
  }
}

function line({ state, ms, mb, error }: StateCost): string {
  return `  ${state.padEnd(18)} ${String(ms).padStart(6)} ms ${String(mb).padStart(4)} MB ${error ?? ""}`;
}

interface Crowd {
  readonly namespace: string;
  readonly pods: number;
  /** They run on these in turn. */
  readonly nodes: readonly string[];
}

/** Makes the pods, and returns when all of them run. */
async function fill(kubernetes: KubeConfig, { namespace, pods, nodes }: Crowd): Promise<void> {
  const core = kubernetes.makeApiClient(CoreV1Api);
  await core.createNamespace({ body: { metadata: { name: namespace } } });
  let next = 0;
  const make = async () => {
    for (let index = next++; index < pods; index = next++) {
      const nodeName = nodes[index % nodes.length] ?? "";
      await core.createNamespacedPod({ namespace, body: podOf(index, nodeName) });
    }
  };
  await Promise.all(Array.from({ length: MAKERS }, make));
  await waitFor({ what: `${pods} running pods`, limitMs: 900_000 }, async () => {
    const fieldSelector = "status.phase!=Running";
    const { items } = await core.listNamespacedPod({ namespace, fieldSelector, limit: 1 });
    return items.length === 0 ? true : undefined;
  });
}

function podOf(index: number, nodeName: string): V1Pod {
  return {
    metadata: {
      name: `app-${index}`,
      labels: { app: "app", index: String(index) },
      annotations: Object.fromEntries(
        Array.from({ length: ANNOTATIONS }, (_, n) => [
          `example.com/annotation-${n}`,
          text(n, index),
        ]),
      ),
    },
    spec: {
      nodeName,
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          ...{ name: "app", image: "registry.local/app:1" },
          env: Array.from({ length: SETTINGS }, (_, n) => ({
            name: `SETTING_${n}`,
            value: text(n, index),
          })),
        },
      ],
    },
  };
}

function text(one: number, other: number): string {
  return `value ${one} of pod ${other}, as long as many are: https://service-${one}.example.com/path`;
}

/** Takes the pods away: the nodes are the next namespace's. */
async function empty({ kubernetes }: LocalStage, namespace: string): Promise<void> {
  await kubernetes.makeApiClient(CoreV1Api).deleteCollectionNamespacedPod({ namespace });
}
