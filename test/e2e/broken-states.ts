/** Breaking states of a deployed workflow, by denying its role what they call, and mending them. */
import { IAMClient, PutRolePolicyCommand } from "@aws-sdk/client-iam";
import { DescribeStateMachineCommand, SFNClient } from "@aws-sdk/client-sfn";
import { INVOKE, type Workflow } from "../../workflows/definition.ts";
import { machineOf } from "../state-machines.ts";
import { aws, deployment } from "./harness.ts";
import { nameIn } from "./role-rights.ts";

const sfn = new SFNClient(aws);
const iam = new IAMClient(aws);

/** Breaks these states of a workflow for good, and mends all others. */
export async function breakOnly(workflow: Workflow, states: readonly string[]): Promise<void> {
  const stateMachineArn = machineOf(deployment, workflow.name);
  const { roleArn = "" } = await sfn.send(new DescribeStateMachineCommand({ stateMachineArn }));
  // A policy must say something: with nothing broken it denies what does not exist.
  const nothing = {
    ...{ Effect: "Deny", Action: "lambda:InvokeFunction" },
    Resource: "arn:aws:lambda:us-east-1:000000000000:function:none",
  };
  const Statement = [nothing, ...states.map((state) => denialOf(workflow, state))];
  await iam.send(
    new PutRolePolicyCommand({
      ...{ RoleName: nameIn(roleArn), PolicyName: "broken-states" },
      PolicyDocument: JSON.stringify({ Version: "2012-10-17", Statement }),
    }),
  );
}

function denialOf({ states }: Workflow, state: string) {
  const { Resource = "" } = states.get(state) ?? {};
  if (Resource === INVOKE) {
    const invoked = `arn:aws:lambda:*:*:function:local-eks-containment-${state}`;
    return { Effect: "Deny", Action: "lambda:InvokeFunction", Resource: [invoked, `${invoked}:*`] };
  }
  const [service = "", operation = ""] = Resource.split(":").slice(-2);
  const prefix = service === "cloudwatchlogs" ? "logs" : service;
  const action = `${operation.charAt(0).toUpperCase()}${operation.slice(1)}`;
  return { Effect: "Deny", Action: `${prefix}:${action}`, Resource: "*" };
}
