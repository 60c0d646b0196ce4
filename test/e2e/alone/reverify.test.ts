/**
 * What becomes of a containment that somebody undoes while its case is open. Alone: a shop of another
 * file gives nodes back, which is drift.
 */

import { SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn";
import { SNSClient, SubscribeCommand } from "@aws-sdk/client-sns";
import { DeleteMessageCommand, ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { beforeAll, expect, test } from "vitest";
import { executions as executionsOf } from "../../../adapters/aws/executions.ts";
import { verdictsPrefix } from "../../../core/evidence/keys.ts";
import type { RunResult } from "../../../core/evidence/record-run.ts";
import type { VerdictRecord } from "../../../core/evidence/schemas/reverification.ts";
import { CASE_LABEL } from "../../../core/quarantine/labels.ts";
import { followExecution } from "../../../local/follow.ts";
import type { Shop } from "../../../local/scene.ts";
import { waitFor } from "../../../local/wait.ts";
import {
  aws,
  containment,
  core,
  deployment,
  endOf,
  markerOf,
  networking,
  openInbox,
  openShop,
  policyNames,
  raiseAlert,
  resultOf,
  sqs,
  store,
  victimOf,
} from "../harness.ts";

const { reverifyStateMachineArn } = deployment;
const looks = executionsOf(reverifyStateMachineArn, aws);
const sfn = new SFNClient(aws);

let shop: Shop;
let result: RunResult;
let inbox: string;

beforeAll(async () => {
  const { url, arn } = await openInbox("reverify-inbox", "sns");
  inbox = url;
  await new SNSClient(aws).send(
    new SubscribeCommand({ TopicArn: deployment.topicArn, Protocol: "sqs", Endpoint: arn }),
  );
  shop = await openShop("reverify");
  const { id } = await raiseAlert(shop.namespace, victimOf(shop));
  result = resultOf(await endOf(id));
});

/** One execution that looks at the case of this file and at no other. */
async function lookAgain(mend: boolean) {
  const { executionArn = "" } = await sfn.send(
    new StartExecutionCommand({
      stateMachineArn: reverifyStateMachineArn,
      input: JSON.stringify({ request: { markers: [await markerOf(result.target)], mend } }),
    }),
  );
  return followExecution(executionArn, looks);
}

async function history(): Promise<readonly VerdictRecord[]> {
  const records: VerdictRecord[] = [];
  for (const { key } of await store.list(verdictsPrefix(result.case.id), 100)) {
    const kept = await store.read<VerdictRecord>(key);
    if (kept) records.push(kept.document);
  }
  return records;
}

/** Subjects of the messages about drift of this file's pod that arrived since they were last read. */
async function toldOf(): Promise<readonly string[]> {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({ QueueUrl: inbox, MaxNumberOfMessages: 10 }),
  );
  for (const { ReceiptHandle } of Messages) {
    await sqs.send(new DeleteMessageCommand({ QueueUrl: inbox, ReceiptHandle }));
  }
  if (Messages.length === 0) return [];
  const subjects = Messages.map(({ Body = "{}" }) => String(JSON.parse(Body).Subject));
  const about = `pod ${shop.namespace}/${result.target.name}`;
  const found = subjects.filter((each) => each.includes("containment ") && each.endsWith(about));
  return [...found, ...(await toldOf())];
}

/** The same, once there is one: SNS delivers in its own time. */
function news(): Promise<readonly string[]> {
  return waitFor({ what: "a message about the case", limitMs: 20_000 }, async () => {
    const told = await toldOf();
    return told.length > 0 ? told : undefined;
  });
}

const drifts = (record: VerdictRecord | undefined) => record?.drift.map(({ code }) => code) ?? [];

test("a containment that stands is looked at, and nobody is told", async () => {
  const { status, output } = await lookAgain(true);

  expect({ status, output }).toEqual({
    status: "SUCCEEDED",
    output: { listed: 1, notVerified: 0 },
  });
  const [first, ...more] = await history();
  expect(first).toMatchObject({ why: "first", drift: [], news: null, verdict: result.verdict });
  expect(first?.agent).toEqual(expect.any(String)); // the CNI's agent on the pod's node
  expect(more).toEqual([]);
  expect(await toldOf()).toEqual([]);
});

test("policies that somebody deletes are drift, told once however often it is looked at", async () => {
  const names = (await policyNames(shop.namespace)).filter((name) =>
    name.startsWith("quarantine-"),
  );
  for (const name of names) {
    await networking.deleteNamespacedNetworkPolicy({ namespace: shop.namespace, name });
  }

  await lookAgain(false);
  const first = await news();
  await lookAgain(false);
  const second = await toldOf();
  const { code, out } = await containment("reverify", result.case.id);

  expect(names.length).toBeGreaterThan(0);
  expect(first).toEqual([expect.stringContaining("containment has drifted")]);
  expect(second).toEqual([]);
  const records = await history();
  expect(records).toHaveLength(2);
  expect(drifts(records.at(-1))).toContain("policyMissing");
  expect(code).toBe(1);
  expect(out).toContain("drifted: policyMissing");
  const shown = await containment("run", result.case.runId);
  expect(shown.out).toMatch(/looked again .*Z {2}partial \(.*policyMissing/);
});

test("where the stage puts back, the pod is contained again by its own plan, and that is told", async () => {
  const { namespace } = shop;
  const { name } = result.target;
  const pod = await core.readNamespacedPod({ namespace, name });
  await core.replaceNamespacedPod({
    ...{ namespace, name },
    body: { ...pod, metadata: { ...pod.metadata, labels: { app: "checkout" } } },
  });

  const { status } = await lookAgain(true);

  expect(status).toBe("SUCCEEDED");
  expect(await news()).toEqual([expect.stringContaining("containment holds again")]);
  const last = (await history()).at(-1);
  expect(last).toMatchObject({ why: "reapplied", drift: [], verdict: result.verdict });
  const { metadata } = await core.readNamespacedPod({ namespace, name });
  expect(metadata?.labels).toMatchObject({ [CASE_LABEL]: result.case.id });
});

test("a pod that is deleted is drift that nothing puts back", async () => {
  const { namespace } = shop;
  await core.deleteNamespacedPod({
    ...{ namespace, name: result.target.name },
    gracePeriodSeconds: 0,
  });

  await lookAgain(true);

  expect(await news()).toEqual([expect.stringContaining("containment has drifted")]);
  expect((await history()).at(-1)).toMatchObject({ reapplications: 1, why: "changed" });
  expect(drifts((await history()).at(-1))).toContain("podGone");
});
