/** A stage is not removed while a case is open; its evidence is never removed. */
import {
  CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  waitUntilStackCreateComplete,
} from "@aws-sdk/client-cloudformation";
import { DeleteObjectCommand, HeadBucketCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { deployedStage } from "../../adapters/aws/deployed-stage.ts";
import { readDeployment } from "../../adapters/aws/deployment.ts";
import { guardRemoval } from "../../stacks/preflight.ts";
import { aws, deployment, endOf, openShop, raiseAlert, resultOf, s3, victimOf } from "./harness.ts";
import { type Operator, operator, powerless } from "./operator.ts";

const cloudFormation = new CloudFormationClient(aws);
/** A stage of which nothing but its evidence is deployed: the shared one must outlive this test. */
const StackName = "existing-eks-containment-evidence";
const Bucket = "evidence-of-a-stage-to-remove";
const TEMPLATE = {
  Resources: {
    Evidence: {
      Type: "AWS::S3::Bucket",
      DeletionPolicy: "Retain",
      Properties: { BucketName: Bucket },
    },
  },
  Outputs: { EvidenceBucket: { Value: { Ref: "Evidence" } } },
};

let engineer: Operator;
beforeAll(async () => {
  engineer = await operator();
});
afterAll(async () => {
  await cloudFormation.send(new DeleteStackCommand({ StackName }));
  await engineer.leave();
});

async function deployEvidence(): Promise<void> {
  const TemplateBody = JSON.stringify(TEMPLATE);
  await cloudFormation.send(new CreateStackCommand({ StackName, TemplateBody }));
  const waiting = { client: cloudFormation, maxWaitTime: 30, minDelay: 1, maxDelay: 1 };
  await waitUntilStackCreateComplete(waiting, { StackName });
}

function remove() {
  return engineer.sst("remove", "--stage", "existing");
}

test("sst remove refuses with the open case, its target and what to do; then leaves the bucket", async () => {
  expect(await remove()).toMatchObject({ code: 0 }); // nothing is deployed, nothing is asked

  await deployEvidence();
  const Key = "open/prod-eks-1/payments/pod/checkout-1.json";
  const marker = {
    case: { id: "c-20260101-0123456789", runId: "20260101T000000000Z-c-20260101-0123456789" },
    execution: { arn: "arn:aws:states:x", name: "x", startedAt: "2026-01-01T00:00:00.000Z" },
    target: { kind: "pod", cluster: "prod-eks-1", namespace: "payments", name: "checkout-1" },
  };
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: JSON.stringify(marker) }));

  const refused = await remove();

  expect(refused.code).toBe(1);
  expect(refused.out).toContain("Error: Stage existing has 1 open case:");
  expect(refused.out).toContain(
    `c-20260101-0123456789: pod payments/checkout-1 in cluster prod-eks-1, since 2026-01-01T00:00:00.000Z, s3://${Bucket}/runs/20260101T000000000Z-c-20260101-0123456789/plan.json`,
  );
  expect(refused.out).toContain("Undo each one first");
  expect(await evidenceStack()).toBe("CREATE_COMPLETE");

  await s3.send(new DeleteObjectCommand({ Bucket, Key }));
  const removed = await remove();

  expect(removed).toMatchObject({ code: 0 });
  expect(removed.err).toContain(`The evidence stays, locked, in bucket ${Bucket}`);
  expect(await evidenceStack()).toBeUndefined();
  await s3.send(new HeadBucketCommand({ Bucket })); // throws when it is gone
});

async function evidenceStack(): Promise<string | undefined> {
  const stacks = await deployedStage("existing", aws).stacks();
  if (stacks.kind === "unseen") throw new Error(stacks.why);
  return stacks.value.find(({ name }) => name === "evidence")?.status;
}

test("whoever cannot tell whether a case is open does not remove the stage", async () => {
  const { AWS_ACCESS_KEY_ID: accessKeyId = "", AWS_SECRET_ACCESS_KEY: secretAccessKey = "" } =
    await powerless();
  const say = () => {};
  const access = { ...aws, credentials: { accessKeyId, secretAccessKey } };

  await expect(guardRemoval("local", access, { say, anyway: false })).rejects.toThrow(
    /could not read the stacks of the stage: not allowed to look: needs cloudformation:DescribeStacks/,
  );
});

test("the deployed stage is kept by the case that a real containment opened", async () => {
  const shop = await openShop("removal");
  const { name } = victimOf(shop);
  const { case: opened } = resultOf(
    await endOf((await raiseAlert(shop.namespace, victimOf(shop))).id),
  );
  const said: string[] = [];
  const say = (line: string) => said.push(line);

  const refusal = guardRemoval("local", aws, { say, anyway: false });
  await expect(refusal).rejects.toThrow(
    `${opened.id}: pod ${shop.namespace}/${name} in cluster containment-local`,
  );
  expect(said).toEqual([]);

  await guardRemoval("local", aws, { say, anyway: true });
  expect(said.join()).toContain(`stays, locked, in bucket ${deployment.evidenceBucket}`);
  expect(await readDeployment("local", aws)).toEqual(deployment); // the guard itself removes nothing
});
