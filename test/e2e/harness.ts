/** What every end-to-end test needs: the shared stage, a shop of its own, ways in and ways to look. */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { type RequestOptions, request as requestHttps } from "node:https";
import { join } from "node:path";
import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import {
  GetFunctionConcurrencyCommand,
  LambdaClient,
  PutFunctionConcurrencyCommand,
} from "@aws-sdk/client-lambda";
import { S3Client } from "@aws-sdk/client-s3";
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import {
  CoreV1Api,
  KubeConfig,
  NetworkingV1Api,
  RbacAuthorizationV1Api,
} from "@kubernetes/client-node";
import { afterAll, inject, onTestFinished } from "vitest";
import { evidenceBucket } from "../../adapters/aws/evidence-bucket.ts";
import { type ExecutionReport, executions as executionsOf } from "../../adapters/aws/executions.ts";
import { bucketRunFolder } from "../../adapters/run-folder.ts";
import type { Writer } from "../../core/evidence/custody.ts";
import { openCaseKey, runPrefix } from "../../core/evidence/keys.ts";
import type { RunResult } from "../../core/evidence/record-run.ts";
import { type Verification, verifyRun } from "../../core/evidence/verify.ts";
import { describeTarget, type Target } from "../../core/target/target.ts";
import type { StateName } from "../../functions/contract.ts";
import { type AlertTarget, sendToQueue, terminalShellAlert } from "../../local/falco.ts";
import { executionOf, followExecution } from "../../local/follow.ts";
import { createShop, type ScenePod, type Shop } from "../../local/scene.ts";
import { waitFor } from "../../local/wait.ts";
import { deleteClusterPolicies } from "../cluster-policies.ts";

export const stage = inject("stage");
export const { aws, deployment } = stage;

export const kubeconfig = new KubeConfig();
kubeconfig.loadFromFile(stage.kubeconfig);
export const core = kubeconfig.makeApiClient(CoreV1Api);
export const networking = kubeconfig.makeApiClient(NetworkingV1Api);
export const rbac = kubeconfig.makeApiClient(RbacAuthorizationV1Api);

/** What the API server answers an administrator of the cluster. */
export async function askCluster(
  path: string,
  options: RequestOptions,
  content?: unknown,
): Promise<IncomingMessage> {
  await kubeconfig.applyToHTTPSOptions(options);
  const { server = "" } = kubeconfig.getCurrentCluster() ?? {};
  const sent = requestHttps(new URL(path, server), options);
  sent.end(content === undefined ? undefined : JSON.stringify(content));
  const [answer] = await once(sent, "response");
  return answer;
}

export const executions = executionsOf(deployment.stateMachineArn, aws);
/** As the tests write, where they do. */
export const writer = (): Writer => ({
  ...{ execution: "none: a test", state: "none", productVersion: "none" },
  capturedAt: new Date().toISOString(),
});
export const store = evidenceBucket(deployment.evidenceBucket, aws, writer);
export const s3 = new S3Client(aws);
export const sqs = new SQSClient(aws);
const events = new EventBridgeClient(aws);
const lambda = new LambdaClient(aws);

/** The deployed function of a state. */
export const functionName = (state: StateName) => `local-eks-containment-${state}`;

const ssm = new SSMClient(aws);

/** Turns the stage's kill switch, as a person does. */
export async function turnKillSwitch(Value: "released" | "engaged"): Promise<void> {
  const Name = deployment.killSwitch;
  await ssm.send(new PutParameterCommand({ Name, Value, Type: "String", Overwrite: true }));
}

/** Namespaces of this file's shops. */
const opened = new Set<string>();
afterAll(() => deleteClusterPolicies(kubeconfig, opened));

/** A shop in a namespace that no other test uses. */
export function openShop(name: string): Promise<Shop> {
  const namespace = `${name}-${randomUUID().slice(0, 8)}`;
  opened.add(namespace);
  return createShop({ aws, kubernetes: kubeconfig }, namespace);
}

/** The first checkout pod, the one that gets compromised. */
export function victimOf(shop: Shop): ScenePod {
  const [pod] = shop.checkout.pods;
  if (!pod) throw new Error("the shop has no checkout pod");
  return pod;
}

export interface SentAlert {
  readonly id: string;
  readonly body: string;
}

/** A Falco alert about a pod, sent into the queue as Falcosidekick does. */
export async function raiseAlert(
  namespace: string,
  pod: ScenePod,
  change: Partial<AlertTarget> = {},
): Promise<SentAlert> {
  const id = randomUUID();
  const target: AlertTarget = { ...pod, namespace, pod: pod.name, ...change };
  const body = await terminalShellAlert(target, BigInt(Date.now()) * 1_000_000n, id);
  await sendBody(body);
  return { id, body };
}

/**
 * A run that waits at a state, whose function Lambda itself holds back: the state is in its retries.
 * `release` lets the function run; the end of the test does in any case.
 */
export async function runHeldAt(
  state: StateName,
  namespace: string,
  victim: ScenePod,
): Promise<{ readonly arn: string; release(): Promise<void> }> {
  const held = { FunctionName: functionName(state) };
  const reserve = async (ReservedConcurrentExecutions: number) => {
    await lambda.send(new PutFunctionConcurrencyCommand({ ...held, ReservedConcurrentExecutions }));
  };
  const before = await lambda.send(new GetFunctionConcurrencyCommand(held));
  const units = before.ReservedConcurrentExecutions;
  if (!units) throw new Error(`${held.FunctionName} is held by somebody else, or reserves nothing`);
  const release = () => reserve(units);
  await reserve(0);
  onTestFinished(release);
  const { id } = await raiseAlert(namespace, victim);
  const arn = await executionOf(id, executions);
  await waitFor({ what: state, limitMs: 30_000 }, async () =>
    (await stateNames(arn)).includes(state) ? true : undefined,
  );
  return { arn, release };
}

export function sendBody(body: string): Promise<void> {
  return sendToQueue(sqs, deployment.alertQueueUrl, body);
}

/** A request by hand, put on the product's bus. Its reason finds its execution. */
export async function request(detail: Readonly<Record<string, unknown>>, detailType: string) {
  const reason = `request ${randomUUID()}`;
  await events.send(
    new PutEventsCommand({
      Entries: [
        {
          EventBusName: deployment.busName,
          Source: "demo.containment",
          DetailType: detailType,
          Detail: JSON.stringify({ reason, ...detail }),
        },
      ],
    }),
  );
  return reason;
}

/** The message of the dead-letter queue whose body holds `marker`; it stays there. */
export function deadLetterOf(marker: string): Promise<Message> {
  return waitFor({ what: `dead letter ${marker}`, limitMs: 30_000 }, async () => {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: deployment.deadLetterQueueUrl,
        MessageAttributeNames: ["All"],
        MaxNumberOfMessages: 10,
        VisibilityTimeout: 0,
      }),
    );
    return Messages.find(({ Body }) => Body?.includes(marker));
  });
}

/** The end of the execution whose input holds `marker`. */
export async function endOf(marker: string): Promise<ExecutionReport> {
  return followExecution(await executionOf(marker, executions), executions);
}

export function resultOf({ status, output, error, cause }: ExecutionReport): RunResult {
  if (status !== "SUCCEEDED") throw new Error(`${status}: ${error}: ${cause}`);
  return output as RunResult;
}

export function verify(runId: string): Promise<Verification> {
  return verifyRun(bucketRunFolder(`s3://${deployment.evidenceBucket}/${runPrefix(runId)}`, aws));
}

/** Names of a run's artefacts, sorted. */
export async function artefactsOf(runId: string): Promise<readonly string[]> {
  const inspected = await store.inspect(runPrefix(runId));
  return inspected.map(({ key }) => key.slice(runPrefix(runId).length)).toSorted();
}

export async function stateNames(executionArn: string): Promise<readonly string[]> {
  return (await executions.visits(executionArn)).map(({ name }) => name);
}

/** The key of the marker under which a target's case is open. */
export async function markerOf(target: Target): Promise<string> {
  const [marker] = await store.list(openCaseKey(target).replace(/\.json$/, ""), 1);
  if (!marker) throw new Error(`no open case of ${describeTarget(target)}`);
  return marker.key;
}

export async function policyNames(namespace: string): Promise<readonly string[]> {
  const { items } = await networking.listNamespacedNetworkPolicy({ namespace });
  return items.map(({ metadata }) => metadata?.name ?? "").toSorted();
}

/** A queue of the tests' own that an AWS service may send to, as a subscriber would have. */
export async function openInbox(
  name: string,
  service: "events" | "sns",
): Promise<{ readonly url: string; readonly arn: string }> {
  const { QueueUrl = "" } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }),
  );
  const arn = Attributes?.QueueArn ?? "";
  const Policy = JSON.stringify({
    Version: "2012-10-17",
    Statement: {
      Effect: "Allow",
      Principal: { Service: `${service}.amazonaws.com` },
      Action: "sqs:SendMessage",
      Resource: arn,
    },
  });
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
  return { url: QueueUrl, arn };
}

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** `containment …` as a person runs it, against the shared stage. */
export function containment(...args: string[]): Promise<Ended> {
  const root = join(import.meta.dirname, "../..");
  const env = { ...process.env, ...stage.environment };
  return new Promise((resolve) => {
    const command = [join(root, "cli/containment.ts"), ...args];
    execFile(process.execPath, command, { cwd: root, env }, (error, out, err) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err });
    });
  });
}
