/** One state of a quarantine in a process of its own, on a real API server and the emulated AWS. */
import { evidenceBucket } from "../adapters/aws/evidence-bucket.ts";
import { awsIdentities } from "../adapters/aws/identities.ts";
import { kubernetesApi } from "../adapters/kubernetes/api.ts";
import { httpsTransport } from "../adapters/kubernetes/transport.ts";
import { within } from "../adapters/within.ts";
import type { ClusterAccess } from "../core/cluster/authenticate.ts";
import { networkFacts, observeNetwork } from "../core/cluster/network.ts";
import { captureContext } from "../core/context/capture-context.ts";
import { previewCredentials } from "../core/credentials/preview-credentials.ts";
import type { Kubernetes } from "../core/kubernetes.ts";
import { applyPolicy } from "../core/quarantine/apply-policy.ts";
import { completePolicy } from "../core/quarantine/complete-policy.ts";
import { snapshotAfter } from "../core/quarantine/snapshot-after.ts";
import { snapshotBefore } from "../core/target/snapshot-before.ts";
import type { Target } from "../core/target/target.ts";
import type { ResponderAccess } from "../local/responder.ts";
import type { AwsClientConfig } from "../local/stage.ts";
import { settingsFor } from "../stages.ts";

export const SCALED_STATES = [
  "SnapshotBefore",
  "ApplyPolicy",
  "CompletePolicy",
  "CaptureContext",
  "PreviewCredentials",
  "SnapshotAfter",
] as const;
export type ScaledState = (typeof SCALED_STATES)[number];

export interface ScaleInput {
  readonly state: ScaledState;
  readonly scope: "pod" | "namespace";
  readonly namespace: string;
  readonly runId: string;
  readonly access: ClusterAccess;
  readonly tokens: ResponderAccess["tokens"];
  readonly bucket: string;
  readonly aws: AwsClientConfig;
}

export interface StateCost {
  /** To the API server; what finds out the CNI, in Authenticate, is not counted. */
  readonly requests: number;
  readonly ms: number;
  /** Peak of the process, Node and all clients of AWS included. */
  readonly rssMb: number;
  /** Of that before the state began: a function's bundle takes less than half of it. */
  readonly idleMb: number;
}

if (process.argv[1] === import.meta.filename) {
  console.log(JSON.stringify(await cost(JSON.parse(process.argv[2] ?? "{}"))));
}

async function cost(input: ScaleInput): Promise<StateCost> {
  const { access, tokens, namespace, scope } = input;
  const sendAs = (state: keyof typeof tokens) => httpsTransport(access, async () => tokens[state]);
  const authenticate = kubernetesApi(sendAs("Authenticate"));
  const network = networkFacts(await observeNetwork(authenticate, access.ipFamily));
  const send = sendAs(input.state);
  let requests = 0;
  const kubernetes = kubernetesApi((request) => {
    requests += 1;
    return send(request);
  });
  const ports = {
    kubernetes,
    store: evidenceBucket(input.bucket, input.aws, () => ({
      ...{ execution: input.runId, state: input.state, productVersion: "bench" },
      capturedAt: new Date().toISOString(),
    })),
    settings: settingsFor("local").quarantine,
    within,
    identities: awsIdentities(input.aws),
    now: () => new Date(),
  };
  const common = { cluster: access.name, namespace, uid: null };
  const target: Target =
    scope === "namespace"
      ? { ...common, kind: "namespace", name: namespace }
      : { ...common, kind: "pod", name: "app-0", containerId: null };
  const run = {
    case: { id: `c-${input.runId}`, runId: input.runId },
    alert: { detectedAt: new Date().toISOString(), severity: "high" },
    target,
    mode: "containment",
    network,
  } as const;
  const idleMb = megabytes(process.memoryUsage.rss());
  const begun = performance.now();
  switch (input.state) {
    case "SnapshotBefore":
      await snapshotBefore({ ...run, evidenceUntil: inAMinute() }, ports);
      break;
    case "ApplyPolicy":
      await applyPolicy(run, ports);
      break;
    case "CompletePolicy":
      await completePolicy({ case: run.case, progress: null }, ports);
      break;
    case "CaptureContext":
      await captureContext({ ...run, uid: await uidOf(target, kubernetes) }, ports);
      break;
    case "PreviewCredentials":
      await previewCredentials({ ...run, uid: await uidOf(target, kubernetes) }, ports);
      break;
    case "SnapshotAfter":
      await snapshotAfter(run, ports);
      break;
  }
  const ms = Math.round(performance.now() - begun);
  return { requests, ms, rssMb: megabytes(process.resourceUsage().maxRSS * 1024), idleMb };
}

/** It is measured how long the state takes, not how much of it fits into the settings' bound. */
function inAMinute(): string {
  return new Date(Date.now() + 60_000).toISOString();
}

async function uidOf(target: Target, kubernetes: Kubernetes): Promise<string> {
  if (target.kind === "namespace") return "";
  return (await kubernetes.pod(target.namespace, target.name))?.metadata.uid ?? "";
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}
