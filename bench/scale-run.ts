/**
 * The states of one quarantine as they are deployed, invoked one after the other and each in a
 * process that nothing else has run in.
 */
import { randomUUID } from "node:crypto";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import type { StateName } from "../functions/contract.ts";
import type { LocalStage } from "../local/stage.ts";
import { makeCold } from "./rounds.ts";

export interface StateCost {
  readonly state: StateName;
  /** Milliseconds inside the handler, without the load of its module. */
  readonly ms: number;
  /** The most that the process had, in MB of resident memory: Node, bundle and garbage included. */
  readonly mb: number;
  /** Null where the state did its work. */
  readonly error: string | null;
}

type Facts = Readonly<Record<string, unknown>>;

/** Functions are given this long here, so that it is seen how long they would take. */
const TIMEOUT_SECONDS = 300;

/**
 * Contains a namespace, or its pod of that name, as the workflow does: what a state answers is what
 * the next ones are given.
 */
export async function* quarantineOf(
  target: { readonly namespace: string; readonly pod: string | null },
  stage: LocalStage,
): AsyncGenerator<StateCost> {
  const lambda = new LambdaClient({ ...stage.aws, requestHandler: { requestTimeout: 600_000 } });
  const startedAt = new Date().toISOString();
  const id = randomUUID().slice(0, 10);
  const execution = { arn: `arn:aws:states:::execution:bench:${id}`, name: id, startedAt };
  let answer: Facts = {};
  const artefacts: unknown[] = [];

  async function cost(state: StateName, input: Facts): Promise<StateCost> {
    const FunctionName = `local-eks-containment-${state}`;
    await makeCold(stage, [FunctionName], Date.now(), TIMEOUT_SECONDS);
    const { Payload, LogResult, FunctionError } = await lambda.send(
      new InvokeCommand({
        FunctionName,
        LogType: "Tail",
        Payload: Buffer.from(JSON.stringify({ execution, input })),
      }),
    );
    answer = JSON.parse(Buffer.from(Payload ?? []).toString("utf8"));
    if (!FunctionError && Array.isArray(answer.artefacts)) artefacts.push(...answer.artefacts);
    const report = Buffer.from(LogResult ?? "", "base64").toString("utf8");
    const number = (what: string) => Number(new RegExp(`\\b${what}: ([\\d.]+)`).exec(report)?.[1]);
    return {
      state,
      ms: Math.round(number("Duration")),
      mb: number("Max Memory Used"),
      error: FunctionError ? JSON.stringify(answer) : null,
    };
  }

  const run = {
    case: { id: `c-${id}`, runId: `bench-${id}` },
    alert: alert(startedAt, id),
    target: targetOf(target),
    mode: "containment",
    brakes: [],
    killSwitch: { name: "bench", value: "released" },
  };
  yield await cost("Authenticate", run);
  const { cluster, network } = answer;
  const inCluster = { ...run, cluster, network };
  const evidenceUntil = new Date(Date.now() + TIMEOUT_SECONDS * 1_000).toISOString();
  yield await cost("SnapshotBefore", { ...inCluster, evidenceUntil });
  yield await cost("ApplyPolicy", inCluster);
  const quarantinedAt = answer.quarantinedAt;
  const onTarget = { ...inCluster, applied: { uid: answer.uid }, attempt: 0 };
  yield await cost("CompletePolicy", { ...inCluster, progress: null });
  yield await cost("PreserveNode", onTarget);
  yield await cost("SnapshotNodeEbs", onTarget);
  yield await cost("CaptureContext", onTarget);
  yield await cost("PreviewCredentials", onTarget);
  yield await cost("SnapshotAfter", inCluster);
  const { verdict, reasons } = answer;
  const judged = { reason: "bench", verdict, reasons, quarantinedAt, artefacts, missing: [] };
  yield await cost("RecordRun", { ...run, ...judged });
}

function alert(detectedAt: string, id: string) {
  return { source: "manual", id, rule: "bench", severity: "critical", detectedAt };
}

function targetOf({ namespace, pod }: { readonly namespace: string; readonly pod: string | null }) {
  const common = { cluster: "containment-local", namespace, uid: null };
  return pod === null
    ? { ...common, kind: "namespace", name: namespace }
    : { ...common, kind: "pod", name: pod, containerId: null };
}
