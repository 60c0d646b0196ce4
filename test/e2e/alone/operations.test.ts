/** What the people on call hear, and how they stop the stage. */
import { SNSClient, SubscribeCommand } from "@aws-sdk/client-sns";
import { ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { DeleteParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { afterEach, beforeAll, expect, test } from "vitest";
import { followExecution } from "../../../local/follow.ts";
import { waitFor } from "../../../local/wait.ts";
import {
  aws,
  deployment,
  endOf,
  executions,
  openInbox,
  openShop,
  policyNames,
  raiseAlert,
  resultOf,
  sqs,
  stateNames,
  turnKillSwitch,
  verify,
  victimOf,
} from "../harness.ts";

const ssm = new SSMClient(aws);
const Name = deployment.killSwitch;
let inbox: string;

/** A queue that gets what the people on call get by mail. */
beforeAll(async () => {
  const { url, arn: Endpoint } = await openInbox("on-call", "sns");
  const { topicArn: TopicArn } = deployment;
  await new SNSClient(aws).send(new SubscribeCommand({ TopicArn, Protocol: "sqs", Endpoint }));
  inbox = url;
});

afterEach(() => turnKillSwitch("released"));

/** The message about a run, by a text that only it holds. */
function messageWith(text: string) {
  return waitFor({ what: `a message with ${text}`, limitMs: 30_000 }, async () => {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        ...{ QueueUrl: inbox, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 },
        VisibilityTimeout: 0, // it stays there for whoever looks next
      }),
    );
    const bodies = Messages.map(({ Body = "" }) => JSON.parse(Body));
    return bodies.find(({ Message }) => Message.includes(text)) as
      | { readonly Subject: string; readonly Message: string }
      | undefined;
  });
}

test("a contained pod is told with verdict, place, links and the commands to go on with", async () => {
  const shop = await openShop("told");
  const victim = victimOf(shop);
  const result = resultOf(await endOf((await raiseAlert(shop.namespace, victim)).id));

  const { Subject, Message } = await messageWith(result.case.runId);

  expect(`[local] contained: pod ${shop.namespace}/${victim.name}`).toContain(Subject.slice(0, 99));
  expect(Message).toContain(`npx containment run ${result.case.runId} --stage local`);
  expect(Message).toContain(`#/v2/executions/details/${result.execution.arn}`);
});

test("while the kill switch is engaged a run is an audit that says why, and changes nothing", async () => {
  const shop = await openShop("braked");
  const before = await policyNames(shop.namespace);
  await turnKillSwitch("engaged");

  const result = resultOf(await endOf((await raiseAlert(shop.namespace, victimOf(shop))).id));

  const brakes = [{ brake: "killSwitch", withheld: "every write of the quarantine" }];
  expect(result).toMatchObject({ mode: "audit", verdict: "audited", brakes });
  const { Message } = await messageWith(result.case.runId);
  expect(Message).toContain("Brake      killSwitch");
  expect(Message).toContain(`Lift       aws ssm put-parameter --name ${Name} --value released`);
  expect(await policyNames(shop.namespace)).toEqual(before);
});

test("without an answer about the kill switch nothing is done, it is told, and a redrive contains", async () => {
  const shop = await openShop("unsure");
  await ssm.send(new DeleteParameterCommand({ Name }));

  const failed = await endOf((await raiseAlert(shop.namespace, victimOf(shop))).id);

  expect(failed).toMatchObject({ status: "FAILED", error: "Ssm.ParameterNotFoundException" });
  expect((await stateNames(failed.arn)).at(-1)).toBe("CheckKillSwitch");
  const { Message } = await messageWith(`#/v2/executions/details/${failed.arn}`);
  expect(Message).toContain("ended FAILED");
  expect(Message).toContain("Nothing was changed in the cluster: no case had been opened.");
  expect(Message).toContain(
    `npx containment redrive ${failed.arn.split(":").at(-1)} --stage local`,
  );

  await turnKillSwitch("released");
  await executions.redrive(failed.arn);
  const result = resultOf(await followExecution(failed.arn, executions));

  expect(result).toMatchObject({ verdict: "contained", missing: [] });
  expect(await verify(result.case.runId)).toMatchObject({ verified: true });
});
