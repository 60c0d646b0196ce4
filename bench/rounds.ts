/**
 * One round is one event on the bus and the moment at which its effect can be seen: for the product
 * the quarantine policy on a watch of the API server, for the floor the end of its last function.
 */
import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import {
  LambdaClient,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionUpdatedV2,
} from "@aws-sdk/client-lambda";
import { CoreV1Api, NetworkingV1Api, type V1Pod, Watch } from "@kubernetes/client-node";
import type { Deployment } from "../adapters/aws/deployment.ts";
import { executions, type StateVisit } from "../adapters/aws/executions.ts";
import { terminalShellAlert } from "../local/falco.ts";
import { executionOf, followExecution } from "../local/follow.ts";
import type { LocalStage } from "../local/stage.ts";
import { waitFor } from "../local/wait.ts";
import { FLOOR_SOURCE } from "./floor.ts";

const NAMESPACE = "bench";

export interface ProductRound {
  readonly totalMs: number;
  /** Milliseconds from the event to the first state. */
  readonly startMs: number;
  readonly visits: readonly StateVisit[];
}

/** Makes functions cold: a changed configuration ends the processes that run the old one. */
export async function makeCold(
  stage: LocalStage,
  functionNames: readonly string[],
  round: number,
  Timeout?: number,
) {
  const lambda = new LambdaClient(stage.aws);
  const Description = `round ${round}`;
  await Promise.all(
    functionNames.map(async (FunctionName) => {
      await lambda.send(
        new UpdateFunctionConfigurationCommand({ FunctionName, Description, Timeout }),
      );
      await waitUntilFunctionUpdatedV2({ client: lambda, maxWaitTime: 60 }, { FunctionName });
    }),
  );
}

/** A namespace with enough pods to contain one in each round, and a watch on its policies. */
export async function openRange(stage: LocalStage, deployment: Deployment, pods: number) {
  const events = new EventBridgeClient(stage.aws);
  const core = stage.kubernetes.makeApiClient(CoreV1Api);
  await core.createNamespace({ body: { metadata: { name: NAMESPACE } } });
  await createTargets(stage, pods);
  const targets = await waitFor({ what: `${pods} running pods`, limitMs: 120_000 }, async () => {
    const { items } = await core.listNamespacedPod({ namespace: NAMESPACE });
    const running = items.filter(({ status }) => status?.containerStatuses?.[0]?.containerID);
    return running.length >= pods ? running : undefined;
  });

  let seen: (name: string) => void = () => {};
  const watch = await new Watch(stage.kubernetes).watch(
    `/apis/networking.k8s.io/v1/namespaces/${NAMESPACE}/networkpolicies`,
    {},
    (phase: string, policy: { metadata: { name: string } }) => {
      if (phase === "ADDED") seen(policy.metadata.name);
    },
    () => {},
  );
  const put = (source: string, detailType: string, detail: unknown) =>
    events.send(
      new PutEventsCommand({
        Entries: [
          {
            EventBusName: deployment.busName,
            Source: source,
            DetailType: detailType,
            Detail: JSON.stringify(detail),
          },
        ],
      }),
    );
  const ofProduct = executions(deployment.stateMachineArn, stage.aws);

  return {
    close: () => watch.abort(),

    async product(): Promise<ProductRound> {
      const pod = targets.pop();
      if (!pod) throw new Error("more rounds than pods");
      const id = crypto.randomUUID();
      const body = await alertAbout(pod, id);
      const visible = new Promise<number>((resolve) => {
        seen = (name) => {
          if (name.startsWith("quarantine-")) resolve(Date.now());
        };
      });
      const sentAt = Date.now();
      await put("falco", "Falco Alert", { messageId: id, body });
      const visibleAt = await visible;
      const arn = await executionOf(id, ofProduct);
      const report = await followExecution(arn, ofProduct);
      if (report.status !== "SUCCEEDED") throw new Error(`${report.error}: ${report.cause}`);
      const visits = await ofProduct.visits(arn);
      const first = visits[0]?.enteredAt.getTime() ?? sentAt;
      return { totalMs: visibleAt - sentAt, startMs: first - sentAt, visits };
    },

    async floor(floorArn: string): Promise<number> {
      const ofFloor = executions(floorArn, stage.aws);
      const id = crypto.randomUUID();
      const sentAt = Date.now();
      await put(FLOOR_SOURCE, "round", { id });
      const report = await followExecution(await executionOf(id, ofFloor), ofFloor);
      return (report.output as { at: number }).at - sentAt;
    },
  };
}

/** Pods without a controller and with names of their own: a rollout would take the others away. */
async function createTargets(stage: LocalStage, count: number): Promise<void> {
  const labels = { app: "checkout" };
  const core = stage.kubernetes.makeApiClient(CoreV1Api);
  for (let index = 0; index < count; index += 1) {
    await core.createNamespacedPod({
      namespace: NAMESPACE,
      body: {
        metadata: { name: `checkout${index}`, labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: "checkout", image: "registry.example/checkout:1.4.2" }],
        },
      },
    });
  }
  await stage.kubernetes.makeApiClient(NetworkingV1Api).createNamespacedNetworkPolicy({
    namespace: NAMESPACE,
    body: {
      metadata: { name: "allow-checkout" },
      spec: { podSelector: { matchLabels: labels }, ingress: [{}], policyTypes: ["Ingress"] },
    },
  });
}

function alertAbout({ metadata, spec, status }: V1Pod, id: string): Promise<string> {
  const container = status?.containerStatuses?.[0];
  const target = {
    namespace: NAMESPACE,
    pod: metadata?.name ?? "",
    container: container?.name ?? "",
    containerId: container?.containerID ?? "",
    image: container?.image ?? "",
    node: spec?.nodeName ?? "",
  };
  return terminalShellAlert(target, BigInt(Date.now()) * 1_000_000n, id);
}
