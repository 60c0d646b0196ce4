import type { Deployment } from "../adapters/aws/deployment.ts";

/** ARN of a workflow's state machine: they differ in the workflow's name alone. */
export function machineOf({ stateMachineArn }: Deployment, workflow: string): string {
  return stateMachineArn.replace(/contain$/, workflow);
}
