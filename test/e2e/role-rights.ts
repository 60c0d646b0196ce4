/** Taking a right away from a deployed role, and giving it back. */
import {
  DeleteRolePolicyCommand,
  GetRolePolicyCommand,
  IAMClient,
  ListRolePoliciesCommand,
  PutRolePolicyCommand,
} from "@aws-sdk/client-iam";
import { GetFunctionConfigurationCommand, LambdaClient } from "@aws-sdk/client-lambda";
import * as z from "zod";
import type { StateName } from "../../functions/contract.ts";
import { aws, functionName } from "./harness.ts";

const iam = new IAMClient(aws);
const lambda = new LambdaClient(aws);

export async function roleOf(state: StateName): Promise<string> {
  const FunctionName = functionName(state);
  const { Role = "" } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
  return nameIn(Role);
}

/** The name of the role that an ARN is of. */
export function nameIn(roleArn: string): string {
  return roleArn.slice(roleArn.lastIndexOf("/") + 1);
}

const Statement = z.looseObject({ Action: z.union([z.string(), z.array(z.string())]) });
const Policy = z.object({ Version: z.string(), Statement: z.array(Statement) });

/** Takes an action out of every statement of a role. Returns what gives it back. */
export async function takeAway(RoleName: string, action: string): Promise<() => Promise<void>> {
  const { PolicyNames = [] } = await iam.send(new ListRolePoliciesCommand({ RoleName }));
  const before = new Map<string, string>();
  for (const PolicyName of PolicyNames) {
    const { PolicyDocument = "" } = await iam.send(
      new GetRolePolicyCommand({ RoleName, PolicyName }),
    );
    const text = decodeURIComponent(PolicyDocument);
    const policy = Policy.parse(JSON.parse(text));
    const left = policy.Statement.flatMap((statement) => without(statement, action));
    if (JSON.stringify(left) === JSON.stringify(policy.Statement)) continue;
    before.set(PolicyName, text);
    if (left.length === 0) await iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName }));
    else await put(RoleName, PolicyName, JSON.stringify({ ...policy, Statement: left }));
  }
  if (before.size === 0) throw new Error(`role ${RoleName} has no right to ${action}`);
  return async () => {
    for (const [name, text] of before) await put(RoleName, name, text);
  };
}

function without(statement: z.infer<typeof Statement>, action: string) {
  const { Action } = statement;
  const left = (Array.isArray(Action) ? Action : [Action]).filter((each) => each !== action);
  if (left.length === 0) return [];
  return [Array.isArray(Action) ? { ...statement, Action: left } : statement];
}

async function put(RoleName: string, PolicyName: string, PolicyDocument: string): Promise<void> {
  await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName, PolicyDocument }));
}
