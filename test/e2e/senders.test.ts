/** Who may send on the way in, judged by the policies of the bus and of the queues. */
import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import {
  CreateAccessKeyCommand,
  CreateUserCommand,
  DeleteAccessKeyCommand,
  DeleteUserCommand,
  DeleteUserPolicyCommand,
  IAMClient,
  PutUserPolicyCommand,
} from "@aws-sdk/client-iam";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aws, deployment } from "./harness.ts";

const iam = new IAMClient(aws);
const UserName = "application";
const PolicyName = "sends-everywhere";
let AccessKeyId: string;
let application: typeof aws;

/** Somebody of this account whom IAM lets put events on every bus and send to every queue. */
beforeAll(async () => {
  await iam.send(new CreateUserCommand({ UserName }));
  await iam.send(
    new PutUserPolicyCommand({
      ...{ UserName, PolicyName },
      PolicyDocument: JSON.stringify({
        Version: "2012-10-17",
        Statement: { Effect: "Allow", Action: ["events:*", "sqs:*"], Resource: "*" },
      }),
    }),
  );
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
  AccessKeyId = AccessKey?.AccessKeyId ?? "";
  application = {
    ...aws,
    credentials: { accessKeyId: AccessKeyId, secretAccessKey: AccessKey?.SecretAccessKey ?? "" },
  };
});

afterAll(async () => {
  await iam.send(new DeleteAccessKeyCommand({ UserName, AccessKeyId }));
  await iam.send(new DeleteUserPolicyCommand({ UserName, PolicyName }));
  await iam.send(new DeleteUserCommand({ UserName }));
});

function put(EventBusName: string, Source: string) {
  const entry = { EventBusName, Source, DetailType: "Falco Alert", Detail: "{}" };
  return new EventBridgeClient(application).send(new PutEventsCommand({ Entries: [entry] }));
}

describe("an application that may send everywhere", () => {
  test("may do so: it is not IAM that keeps it out", async () => {
    expect(await put("default", "application")).toMatchObject({ FailedEntryCount: 0 });
  });

  test.each(["falco", "demo.containment", "eks-containment", "aws.guardduty", "anything"])(
    "puts no event of source %s on the product's bus",
    async (source) => {
      await expect(put(deployment.busName, source)).rejects.toThrow(
        /explicit deny in a resource-based policy/,
      );
    },
  );

  test.each([
    ["queue of alerts", deployment.alertQueueUrl],
    ["dead-letter queue", deployment.deadLetterQueueUrl],
  ])("sends nothing into the %s", async (_, QueueUrl) => {
    const sending = new SQSClient(application).send(
      new SendMessageCommand({ QueueUrl, MessageBody: "{}" }),
    );

    await expect(sending).rejects.toThrow(/explicit deny in a resource-based policy/);
  });
});
