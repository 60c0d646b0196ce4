import * as ssm from "aws-cdk-lib/aws-ssm";
import type { StackContext } from "sst/constructs";

/**
 * Writes down what a stack adopted instead of making it. A stack that adopts everything would be
 * empty otherwise, and CloudFormation keeps no empty stack.
 */
export function recordAdopted(stack: StackContext["stack"], name: string, value: string): void {
  new ssm.StringParameter(stack, "Adopted", {
    parameterName: name,
    description: "What this stage uses and did not make; it is not removed with the stage",
    stringValue: value,
  });
}
