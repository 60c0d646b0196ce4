/** Where cells are run: a stage with proxies in it, and what a run without a fault looks like there. */
import { randomUUID } from "node:crypto";
import { DescribeSnapshotsCommand, EC2Client } from "@aws-sdk/client-ec2";
import { SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn";
import { SQSClient } from "@aws-sdk/client-sqs";
import { CoreV1Api, type KubeConfig, NetworkingV1Api } from "@kubernetes/client-node";
import type { Deployment } from "../../adapters/aws/deployment.ts";
import { evidenceBucket } from "../../adapters/aws/evidence-bucket.ts";
import { type ExecutionReport, executions } from "../../adapters/aws/executions.ts";
import { bucketRunFolder } from "../../adapters/run-folder.ts";
import { runPrefix } from "../../core/evidence/keys.ts";
import { verifyRun } from "../../core/evidence/verify.ts";
import { type AlertTarget, sendToQueue, terminalShellAlert } from "../../local/falco.ts";
import type { NodeGroup, ScenePod } from "../../local/scene.ts";
import type { AwsClientConfig } from "../../local/stage.ts";
import { waitFor } from "../../local/wait.ts";
import { machineOf } from "../state-machines.ts";
import type { Faults } from "./control.ts";
import type { Playbook } from "./playbook.ts";

/** From the start of an execution, or its redrive, to its end: EC2's throttling is waited out long. */
const END_LIMIT_MS = 900_000;

export interface Place {
  readonly aws: AwsClientConfig;
  readonly kubernetes: KubeConfig;
  readonly deployment: Deployment;
  readonly faults: Faults;
}

/** The clients of a place. */
export function lookAt({ aws, kubernetes, deployment }: Place) {
  const sfn = new SFNClient(aws);
  const sqs = new SQSClient(aws);
  const ec2 = new EC2Client(aws);
  const runs = executions(deployment.stateMachineArn, aws);
  return {
    ec2,
    runs,
    core: kubernetes.makeApiClient(CoreV1Api),
    networking: kubernetes.makeApiClient(NetworkingV1Api),
    store: evidenceBucket(deployment.evidenceBucket, aws),

    verify: (runId: string) =>
      verifyRun(bucketRunFolder(`s3://${deployment.evidenceBucket}/${runPrefix(runId)}`, aws)),

    sendToQueue: (body: string) => sendToQueue(sqs, deployment.alertQueueUrl, body),

    /** Starts a playbook. Returns the execution's ARN. */
    async start(playbook: Playbook, name: string, input: unknown): Promise<string> {
      const stateMachineArn = machineOf(deployment, playbook);
      const { executionArn = "" } = await sfn.send(
        new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) }),
      );
      return executionArn;
    },

    end(arn: string): Promise<ExecutionReport> {
      const waiting = { what: `the end of ${arn}`, limitMs: END_LIMIT_MS, pollMs: 250 };
      return waitFor(waiting, async () => {
        const report = await runs.describe(arn);
        return /RUNNING|PENDING/.test(report.status) ? undefined : report;
      });
    },

    async snapshotsOf(caseId: string): Promise<readonly string[]> {
      const { Snapshots = [] } = await ec2.send(
        new DescribeSnapshotsCommand({ Filters: [{ Name: "tag:CaseID", Values: [caseId] }] }),
      );
      return Snapshots.map(({ VolumeId = "" }) => VolumeId);
    },
  };
}

export type Look = ReturnType<typeof lookAt>;

/** A Falco message about a pod; `ageMs` is how long ago the sensor saw it. */
export function alertAbout(
  namespace: string,
  pod: ScenePod,
  {
    ageMs = 0,
    change = {},
  }: { readonly ageMs?: number; readonly change?: Partial<AlertTarget> } = {},
): Promise<string> {
  const target: AlertTarget = { ...pod, namespace, pod: pod.name, ...change };
  return terminalShellAlert(target, BigInt(Date.now() - ageMs) * 1_000_000n, randomUUID());
}

/** A namespace name that nobody uses yet. */
export function freshNamespace(): string {
  return `fault-${randomUUID().slice(0, 8)}`;
}

/** The nodes of one of the cells that run side by side: a containment keeps its node for itself. */
export function nodesOfLane(lane: number): NodeGroup {
  return { name: `faults-${lane}`, subnet: 100 + lane };
}
