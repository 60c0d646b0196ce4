/**
 * How long containment waits for evidence: the states around SnapshotBefore, as the workflow has
 * them, on functions that hang and that fail. Alone: it counts attempts within seconds.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CreateRoleCommand, IAMClient, PutRolePolicyCommand } from "@aws-sdk/client-iam";
import {
  CreateFunctionCommand,
  LambdaClient,
  waitUntilFunctionActiveV2,
} from "@aws-sdk/client-lambda";
import {
  CreateStateMachineCommand,
  GetExecutionHistoryCommand,
  SFNClient,
  StartExecutionCommand,
} from "@aws-sdk/client-sfn";
import { strToU8, zipSync } from "fflate";
import { expect, test } from "vitest";
import * as z from "zod";
import { followExecution } from "../../../local/follow.ts";
import { projectRoot } from "../../../local/project.ts";
import { aws, executions } from "../harness.ts";

const WAIT_MS = 5_000;
/** A function that hangs does so for much longer. */
const HANGS_MS = 25_000;
const lambda = new LambdaClient(aws);
const sfn = new SFNClient(aws);
const iam = new IAMClient(aws);

const { SnapshotBefore, SnapshotBeforeAgain, WaitForSnapshot } = z
  .object({ States: z.record(z.string(), z.unknown()) })
  .parse(
    JSON.parse(readFileSync(join(projectRoot, "workflows", "contain.asl.json"), "utf8")),
  ).States;

/** A role that may run functions and invoke them. */
async function makeRole(RoleName: string): Promise<string> {
  const document = (statement: object) =>
    JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", ...statement }] });
  const Service = ["states.amazonaws.com", "lambda.amazonaws.com"];
  const trust = { Principal: { Service }, Action: "sts:AssumeRole" };
  const { Role } = await iam.send(
    new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: document(trust) }),
  );
  const invoke = { Action: "lambda:InvokeFunction", Resource: "*" };
  await iam.send(
    new PutRolePolicyCommand({
      ...{ RoleName, PolicyName: "invoke" },
      PolicyDocument: document(invoke),
    }),
  );
  return Role?.Arn ?? "";
}

/** Goes through these states with a function of that code in the place of SnapshotBefore's. */
async function wait(code: string) {
  const name = `wait-${randomUUID().slice(0, 8)}`;
  const roleArn = await makeRole(name);
  await lambda.send(
    new CreateFunctionCommand({
      ...{ FunctionName: name, Runtime: "nodejs24.x", Handler: "index.handler", Role: roleArn },
      ...{ Timeout: 30, Code: { ZipFile: zipSync({ "index.mjs": strToU8(code) }) } },
    }),
  );
  await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 60 }, { FunctionName: name });
  const definition = JSON.stringify({
    ...{ QueryLanguage: "JSONata", StartAt: "SnapshotBefore" },
    States: {
      ...{ SnapshotBefore, SnapshotBeforeAgain, WaitForSnapshot },
      CheckBeforePolicy: { Type: "Pass", End: true },
    },
  }).replaceAll("$" + "{SnapshotBeforeFunction}", name);
  const { stateMachineArn } = await sfn.send(
    new CreateStateMachineCommand({ name, roleArn, definition }),
  );
  const until = Date.now() + WAIT_MS;
  const input = { artefacts: [], missing: [], evidenceUntil: new Date(until).toISOString() };
  const { executionArn = "" } = await sfn.send(
    new StartExecutionCommand({ stateMachineArn, input: JSON.stringify(input) }),
  );
  const { output } = await followExecution(executionArn, executions);
  const { events = [] } = await sfn.send(
    new GetExecutionHistoryCommand({ executionArn, maxResults: 1_000 }),
  );
  const entered = (state: string) =>
    events.filter(({ stateEnteredEventDetails }) => stateEnteredEventDetails?.name === state);
  const { missing } = z
    .object({ missing: z.array(z.object({ state: z.string(), error: z.string() })) })
    .parse(output);
  const waitedMs =
    (entered("CheckBeforePolicy")[0]?.timestamp?.getTime() ?? Infinity) - until + WAIT_MS;
  return { attempts: entered("SnapshotBefore").length, waitedMs, missing };
}

test("a function that hangs is left behind when the time is up", async () => {
  const { attempts, waitedMs, missing } = await wait(
    `export const handler = () => new Promise((answer) => setTimeout(answer, ${HANGS_MS}));`,
  );

  expect({ attempts, missing }).toEqual({
    attempts: 1,
    missing: [{ state: "SnapshotBefore", error: "States.Timeout" }],
  });
  expect(waitedMs).toBeLessThan(HANGS_MS);
});

test("one that fails is tried again while there is time, and is missing once", async () => {
  const { attempts, waitedMs, missing } = await wait(
    "export const handler = async () => { throw Object.assign(new Error(), { name: 'AwsUnavailable' }); };",
  );

  expect(attempts).toBeGreaterThan(1);
  expect(missing).toEqual([{ state: "SnapshotBefore", error: "AwsUnavailable" }]);
  expect(waitedMs).toBeLessThan(HANGS_MS);
});

test("one that only a person can help is not tried again", async () => {
  const { attempts, missing } = await wait(
    "export const handler = async () => { throw Object.assign(new Error(), { name: 'EvidenceDenied' }); };",
  );

  expect(attempts).toBe(1);
  expect(missing).toEqual([{ state: "SnapshotBefore", error: "EvidenceDenied" }]);
});
