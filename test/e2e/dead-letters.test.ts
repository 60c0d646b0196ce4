import { randomUUID } from "node:crypto";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { beforeAll, describe, expect, test } from "vitest";
import { terminalShellAlert } from "../../local/falco.ts";
import type { Shop } from "../../local/scene.ts";
import { waitFor } from "../../local/wait.ts";
import {
  containment,
  deadLetterOf,
  deployment,
  endOf,
  openShop,
  sendBody,
  sqs,
  victimOf,
} from "./harness.ts";

/** Clears the screen in a terminal that takes 8-bit controls; SQS lets it through. */
const CLEAR_SCREEN = "\u009b2J";

interface Listed {
  readonly id: string;
  readonly origin: { readonly by: string; readonly why: string };
  readonly resendTo: string;
  readonly readable: boolean;
}

async function listed(): Promise<readonly Listed[]> {
  const { code, out, err } = await containment("dlq", "list", "--json");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out);
}

/** Another file may hold messages just now, as another operator does. */
function listedAs(id: string): Promise<Listed> {
  return waitFor({ what: `dead letter ${id} in the list`, limitMs: 60_000 }, async () =>
    (await listed()).find((each) => each.id === id),
  );
}

async function idOf(marker: string): Promise<string> {
  return (await deadLetterOf(marker)).MessageId ?? "";
}

describe("an alert that could not be read", () => {
  let marker: string;
  let id: string;
  beforeAll(async () => {
    marker = randomUUID();
    await sendBody(`hello${CLEAR_SCREEN} ${marker}`);
    id = await idOf(marker);
  });

  test("is listed and explained with its reason, and its body cannot move the cursor", async () => {
    expect(await listedAs(id)).toMatchObject({
      origin: { by: "triage", event: "falco" },
      ...{ resendTo: "alertQueue", readable: false },
    });
    const { code, out } = await containment("dlq", "explain", id);

    expect(code).toBe(0);
    expect(out).toContain("not JSON");
    expect(out).toContain(`hello\\u{9b}2J ${marker}`);
    expect(out).not.toContain(CLEAR_SCREEN);
  });

  test("is not sent again for nothing, and stays", async () => {
    const { code, out } = await containment("dlq", "resend", id, "--yes");

    expect(code).toBe(1);
    expect(out).toContain("it would come back");
    expect(await idOf(marker)).toBe(id);
  });

  test("nobody is asked where nobody sits", async () => {
    const { code, err } = await containment("dlq", "resend", id);

    expect(code).toBe(2);
    expect(err).toContain("say --yes");
  });
});

describe("a message that nothing was wrong with", () => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await openShop("letters");
  });
  const alertOf = (uuid: string) => {
    const pod = victimOf(shop);
    return terminalShellAlert(
      { ...pod, namespace: shop.namespace, pod: pod.name },
      BigInt(Date.now()) * 1_000_000n,
      uuid,
    );
  };

  test("that a rule could not deliver starts the workflow with the event, once", async () => {
    const uuid = randomUUID();
    const event = {
      ...{ id: randomUUID(), source: "falco", "detail-type": "Falco Alert" },
      time: new Date().toISOString(),
      detail: { messageId: randomUUID(), body: await alertOf(uuid) },
    };
    const rule = `arn:aws:events:us-east-1:000000000000:rule/${deployment.busName}/FalcoAlert`;
    const attribute = (StringValue: string) => ({ DataType: "String", StringValue });
    const { MessageId: id = "" } = await sqs.send(
      new SendMessageCommand({
        QueueUrl: deployment.deadLetterQueueUrl,
        MessageBody: JSON.stringify(event),
        MessageAttributes: {
          RULE_ARN: attribute(rule),
          ERROR_CODE: attribute("NO_PERMISSIONS"),
        },
      }),
    );

    const { code, out } = await containment("dlq", "resend", "--all", "--yes", "--json");

    const told: readonly { readonly id: string; readonly refusal: string | null }[] =
      JSON.parse(out);
    expect(told.find((each) => each.id === id)).toMatchObject({ sentTo: "workflow" });
    expect(code).toBe(told.some(({ refusal }) => refusal !== null) ? 1 : 0);
    expect((await endOf(uuid)).arn).toContain(`dead-letter-${id}`);
    expect((await listed()).map((each) => each.id)).not.toContain(id);
  });
});
