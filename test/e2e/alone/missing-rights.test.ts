/** What happens while a deployed role lacks a right that it needs, and once it has it again. */

import { readFile } from "node:fs/promises";
import {
  EventBridgeClient,
  ListRulesCommand,
  ListTargetsByRuleCommand,
} from "@aws-sdk/client-eventbridge";
import { IAMClient, paginateListRoles } from "@aws-sdk/client-iam";
import {
  CreateStateMachineCommand,
  DescribeStateMachineCommand,
  SFNClient,
  StartExecutionCommand,
} from "@aws-sdk/client-sfn";
import { GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import { expect, onTestFinished, test } from "vitest";
import { executions as executionsOf } from "../../../adapters/aws/executions.ts";
import { followExecution } from "../../../local/follow.ts";
import { waitFor } from "../../../local/wait.ts";
import {
  aws,
  core,
  deadLetterOf,
  deployment,
  endOf,
  executions,
  openShop,
  policyNames,
  raiseAlert,
  resultOf,
  sqs,
  stage,
  verify,
  victimOf,
} from "../harness.ts";
import { nameIn, roleOf, takeAway } from "../role-rights.ts";

const events = new EventBridgeClient(aws);
const sfn = new SFNClient(aws);

/** Takes a right away for the rest of the test. The answer gives it back at once. */
async function without(roleName: string, action: string): Promise<() => Promise<void>> {
  const giveBack = await takeAway(roleName, action);
  onTestFinished(giveBack);
  return giveBack;
}

test("each right that a role lacks fails the run at its state, and with all of them it contains", async () => {
  const rights = [
    ["OpenCase", "s3:PutObject", "EvidenceDenied"],
    ["Authenticate", "eks:DescribeCluster", "AwsDenied"],
    ["ApplyPolicy", "s3:PutObject", "EvidenceDenied"],
    ["CompletePolicy", "s3:GetObject", "EvidenceDenied"],
    ["RecordRun", "events:PutEvents", "AwsDenied"],
  ] as const;
  const giveBack = await Promise.all(
    rights.map(async ([state, action]) => without(await roleOf(state), action)),
  );
  const shop = await openShop("denied");
  const { id } = await raiseAlert(shop.namespace, victimOf(shop));
  const { arn } = await endOf(id);

  for (const [at, [state, action, error]] of rights.entries()) {
    const failed = await followExecution(arn, executions);
    expect(failed).toMatchObject({ status: "FAILED", error });
    expect(failed.cause).toContain(
      `/local-eks-containment-${state} is not authorized to perform: ${action} on resource: arn:aws:`,
    );
    await giveBack[at]?.();
    await executions.redrive(arn);
  }
  const result = resultOf(await followExecution(arn, executions));

  expect(result).toMatchObject({ verdict: "contained", missing: [] });
  expect(await verify(result.case.runId)).toMatchObject({ verified: true, problems: [] });
});

test("without the right to keep its plan, ApplyPolicy changes nothing in the cluster", async () => {
  const shop = await openShop("planless");
  const victim = victimOf(shop);
  const before = await policyNames(shop.namespace);
  const podBefore = await core.readNamespacedPod({ namespace: shop.namespace, name: victim.name });
  await without(await roleOf("ApplyPolicy"), "s3:PutObject");

  const { id } = await raiseAlert(shop.namespace, victim);

  expect(await endOf(id)).toMatchObject({ status: "FAILED", error: "EvidenceDenied" });
  expect(await policyNames(shop.namespace)).toEqual(before);
  const pod = await core.readNamespacedPod({ namespace: shop.namespace, name: victim.name });
  expect(pod.metadata?.labels).toEqual(podBefore.metadata?.labels);
});

test("without the right to tag them no snapshot is made, which the run says, and the pod is contained", async () => {
  const shop = await openShop("untagged");
  await without(await roleOf("SnapshotNodeEbs"), "ec2:CreateTags");

  const { id } = await raiseAlert(shop.namespace, victimOf(shop));
  const result = resultOf(await endOf(id));

  expect(result).toMatchObject({
    verdict: "contained",
    missing: [],
    notPreserved: expect.arrayContaining([
      { what: expect.any(String), reason: expect.stringContaining("ec2:CreateTags") },
    ]),
  });
});

test("whoever takes the state machine's role over reaches no evidence, and no more rights", async () => {
  const { roleArn = "" } = await sfn.send(
    new DescribeStateMachineCommand({ stateMachineArn: deployment.stateMachineArn }),
  );
  const Bucket = deployment.evidenceBucket;
  const RoleName = nameIn(roleArn);
  const tries = {
    "aws-sdk:s3:deleteObject": { Bucket, Key: "runs/some/plan.json" },
    "aws-sdk:s3:putObject": { Bucket, Key: "runs/some/plan.json", Body: "{}", IfNoneMatch: "*" },
    "aws-sdk:s3:getObject": { Bucket, Key: "runs/some/plan.json" },
    "aws-sdk:ec2:describeInstances": {},
    "aws-sdk:iam:putRolePolicy": { RoleName, PolicyName: "more", PolicyDocument: "{}" },
    "lambda:invoke": { FunctionName: "another", Payload: {} },
    "sqs:sendMessage": { QueueUrl: deployment.alertQueueUrl, MessageBody: "an alert of its own" },
  };
  const branch = ([resource, input]: [string, object]) => ({
    StartAt: "Try",
    States: {
      Try: {
        Type: "Task",
        Resource: `arn:aws:states:::${resource}`,
        Arguments: input,
        Output: "passed",
        End: true,
        Catch: [
          {
            ErrorEquals: ["States.ALL"],
            Output: "{% $states.errorOutput.Cause %}",
            Next: "Refused",
          },
        ],
      },
      Refused: { Type: "Succeed" },
    },
  });
  const { stateMachineArn = "" } = await sfn.send(
    new CreateStateMachineCommand({
      name: "intruder",
      roleArn,
      definition: JSON.stringify({
        QueryLanguage: "JSONata",
        StartAt: "TryAll",
        States: {
          TryAll: { Type: "Parallel", Branches: Object.entries(tries).map(branch), End: true },
        },
      }),
    }),
  );
  const { executionArn = "" } = await sfn.send(new StartExecutionCommand({ stateMachineArn }));

  const { output } = await followExecution(executionArn, executionsOf(stateMachineArn, aws));

  const refused = expect.stringMatching(
    /is not authorized to perform: .* (because no identity-based|with an explicit deny)/,
  );
  expect(output).toEqual(Object.keys(tries).map(() => refused));
});

test("an alert whose rule may not start the playbook waits in the dead-letter queue", async () => {
  const EventBusName = deployment.busName;
  const { Rules = [] } = await events.send(new ListRulesCommand({ EventBusName }));
  const Rule = Rules.find(({ EventPattern }) => EventPattern?.includes("Falco Alert"))?.Name;
  const { Targets = [] } = await events.send(new ListTargetsByRuleCommand({ EventBusName, Rule }));
  const giveBack = await without(nameIn(Targets[0]?.RoleArn ?? ""), "states:StartExecution");
  const shop = await openShop("unstarted");

  const { id } = await raiseAlert(shop.namespace, victimOf(shop));
  const letter = await deadLetterOf(id);

  expect(letter.MessageAttributes?.ERROR_MESSAGE?.StringValue).toContain("states:StartExecution");
  await giveBack();
  const { id: next } = await raiseAlert(shop.namespace, victimOf(shop));
  expect(resultOf(await endOf(next)).verdict).toBe("contained");
});

test("an alert that the pipe may not receive waits in its queue", async () => {
  const roles: string[] = [];
  for await (const { Roles = [] } of paginateListRoles({ client: new IAMClient(aws) }, {})) {
    roles.push(...Roles.flatMap(({ RoleName }) => RoleName ?? []));
  }
  const pipeRole = roles.find((name) => name.includes("-PipeRole")) ?? "";
  const giveBack = await without(pipeRole, "sqs:ReceiveMessage");
  await refusal(pipeRole);
  const shop = await openShop("unreceived");

  const { id } = await raiseAlert(shop.namespace, victimOf(shop));
  await refusal(pipeRole);

  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl: deployment.alertQueueUrl,
      AttributeNames: ["ApproximateNumberOfMessages"],
    }),
  );
  expect(Attributes?.ApproximateNumberOfMessages).toBe("1");
  await giveBack();
  expect(resultOf(await endOf(id)).verdict).toBe("contained");
});

/** Waits until the emulator refuses the pipe once more. */
async function refusal(pipeRole: string): Promise<void> {
  const refusals = async () =>
    (await readFile(stage.awsLog, "utf8"))
      .split("\n")
      .filter((line) => line.includes(pipeRole) && line.includes("perform: sqs:ReceiveMessage"))
      .length;
  const before = await refusals();
  await waitFor({ what: "the pipe to be refused", limitMs: 60_000 }, async () =>
    (await refusals()) > before ? true : undefined,
  );
}
