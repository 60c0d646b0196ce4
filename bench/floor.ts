/**
 * The floor: a workflow with the states that the product passes through up to its policy, whose
 * functions do nothing, started by the same kind of rule on the same bus. What it takes is the
 * emulator's, whatever the product does.
 */
import { EventBridgeClient, PutRuleCommand, PutTargetsCommand } from "@aws-sdk/client-eventbridge";
import { CreateRoleCommand, IAMClient, PutRolePolicyCommand } from "@aws-sdk/client-iam";
import {
  CreateFunctionCommand,
  LambdaClient,
  waitUntilFunctionActiveV2,
} from "@aws-sdk/client-lambda";
import { CreateStateMachineCommand, SFNClient } from "@aws-sdk/client-sfn";
import { strToU8, zipSync } from "fflate";
import type { AwsClientConfig } from "../local/stage.ts";

/** As in workflows/contain.asl.json, from its start to ApplyPolicy. */
const PATH = [
  "Triage",
  "Triaged",
  "OpenCase",
  "Opened",
  "Authenticate",
  "SnapshotBefore",
  "ApplyPolicy",
];
const CHOICES = new Set(["Triaged", "Opened"]);

export const FLOOR_SOURCE = "bench.floor";
export const FLOOR_FUNCTIONS = PATH.filter((name) => !CHOICES.has(name)).map(
  (name) => `floor-${name}`,
);

/** Creates the functions, the workflow and the rule; returns the workflow's ARN. */
export async function createFloor(aws: AwsClientConfig, busName: string): Promise<string> {
  const role = await createRole(aws);
  const lambda = new LambdaClient(aws);
  const code = `export const handler = async () => ({ at: Date.now() });`;
  const arns = new Map<string, string>();
  for (const name of FLOOR_FUNCTIONS) {
    const { FunctionArn = "" } = await lambda.send(
      new CreateFunctionCommand({
        FunctionName: name,
        Runtime: "nodejs24.x",
        Handler: "index.handler",
        Role: role,
        Code: { ZipFile: zipSync({ "index.mjs": strToU8(code) }) },
      }),
    );
    await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 60 }, { FunctionName: name });
    arns.set(name, FunctionArn);
  }
  const { stateMachineArn = "" } = await new SFNClient(aws).send(
    new CreateStateMachineCommand({
      name: "floor",
      roleArn: role,
      definition: JSON.stringify(definition(arns)),
    }),
  );
  const events = new EventBridgeClient(aws);
  const rule = { EventBusName: busName, Name: "floor" };
  const EventPattern = JSON.stringify({ source: [FLOOR_SOURCE] });
  await events.send(new PutRuleCommand({ ...rule, EventPattern }));
  const Targets = [{ Id: "floor", Arn: stateMachineArn, RoleArn: role }];
  await events.send(new PutTargetsCommand({ EventBusName: busName, Rule: rule.Name, Targets }));
  return stateMachineArn;
}

/** One role for all parts: it starts and invokes, and its functions call nothing. */
async function createRole(aws: AwsClientConfig): Promise<string> {
  const iam = new IAMClient(aws);
  const RoleName = "floor";
  const { Role } = await iam.send(
    new CreateRoleCommand({
      RoleName,
      AssumeRolePolicyDocument: JSON.stringify({
        Version: "2012-10-17",
        Statement: ["lambda", "states", "events"].map((service) => ({
          Effect: "Allow",
          Action: "sts:AssumeRole",
          Principal: { Service: `${service}.amazonaws.com` },
        })),
      }),
    }),
  );
  await iam.send(
    new PutRolePolicyCommand({
      RoleName,
      PolicyName: "floor",
      PolicyDocument: JSON.stringify({
        Version: "2012-10-17",
        Statement: {
          Effect: "Allow",
          Action: ["states:StartExecution", "lambda:InvokeFunction"],
          Resource: [
            "arn:aws:states:*:*:stateMachine:floor",
            "arn:aws:lambda:*:*:function:floor-*",
          ],
        },
      }),
    }),
  );
  return Role?.Arn ?? "";
}

function definition(functions: ReadonlyMap<string, string>) {
  const states = PATH.map((name, index) => {
    const next = PATH[index + 1];
    if (CHOICES.has(name)) {
      return [name, { Type: "Choice", Choices: [{ Condition: "{% true %}", Next: next }] }];
    }
    const task = {
      Type: "Task",
      Resource: "arn:aws:states:::lambda:invoke",
      Arguments: { FunctionName: functions.get(`floor-${name}`), Payload: "{% $states.input %}" },
      Output: "{% $states.result.Payload %}",
    };
    return [name, next === undefined ? { ...task, End: true } : { ...task, Next: next }];
  });
  return { QueryLanguage: "JSONata", StartAt: PATH[0], States: Object.fromEntries(states) };
}
