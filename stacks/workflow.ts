import { readFileSync } from "node:fs";
import * as iam from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type * as lambda from "aws-cdk-lib/aws-lambda";
import * as sfn from "aws-cdk-lib/aws-stepfunctions";
import type { StackContext } from "sst/constructs";
import { forensicSettingsFor, settingsFor } from "../stages.ts";
import { accept, INLINE_IS_MEANT } from "./accepted-findings.ts";
import { logGroup } from "./log-group.ts";

/**
 * The state machine of `workflows/<path>.asl.json`, named by the last part of the path. It may invoke
 * the functions that its definition names as `${<State>Function}`, and do what the statements say.
 */
export function workflow(
  { stack, app }: Pick<StackContext, "stack" | "app">,
  path: string,
  given: {
    /** Every function, by its state: a workflow takes those that it names. */
    readonly functions: ReadonlyMap<string, lambda.IFunction>;
    /** Encrypts its log. */
    readonly key: IKey;
    /** What stands in its definition for `${...}` besides functions. */
    readonly substitutions: Readonly<Record<string, string>>;
    /** What its states may do that are no functions. */
    readonly statements: readonly iam.PolicyStatement[];
    /** Which resources only AWS can name, where a statement has a star. */
    readonly stars?: string;
  },
): sfn.StateMachine {
  const { functions, key, substitutions, statements, stars } = given;
  const file = `workflows/${path}.asl.json`;
  const name = path.slice(path.lastIndexOf("/") + 1);
  const { operations } = forensicSettingsFor(app.stage) ?? settingsFor(app.stage);
  const definition = readFileSync(file, "utf8");
  const invoked = [...functions].filter(([state]) => definition.includes(`\${${state}Function}`));
  const id = pascalCase(name);
  const machine = new sfn.StateMachine(stack, `${id}StateMachine`, {
    stateMachineName: app.logicalPrefixedName(name),
    stateMachineType: sfn.StateMachineType.STANDARD, // redrive, and a history of 90 days
    definitionBody: sfn.DefinitionBody.fromFile(file),
    definitionSubstitutions: {
      ...substitutions,
      ...Object.fromEntries(invoked.map(([state, fn]) => [`${state}Function`, fn.functionArn])),
    },
    tracingEnabled: true,
    logs: {
      level: sfn.LogLevel.ALL,
      includeExecutionData: false, // alerts are evidence, and lie where evidence does
      destination: logGroup(stack, `${id}StateMachineLogs`, {
        name: `/aws/vendedlogs/states/${app.logicalPrefixedName(name)}`, // one that AWS may write to
        days: operations.logRetentionDays,
        key,
      }),
    },
  });
  for (const [, fn] of invoked) fn.grantInvoke(machine);
  for (const statement of statements) machine.addToRolePolicy(statement);
  accept(machine, {
    "AwsSolutions-IAM5": [
      "Delivery of logs and tracing know no resource; a function's star stands for its versions",
      ...(stars === undefined ? [] : [stars]),
    ].join("; "),
    "NIST.800.53.R5-IAMNoInlinePolicy": INLINE_IS_MEANT,
  });
  stack.addOutputs({ [`${id}StateMachine`]: machine.stateMachineArn });
  return machine;
}

/** A role of EventBridge that starts the workflow and does nothing else. */
export function starterOf(
  machine: sfn.IStateMachine,
  stack: StackContext["stack"],
  id: string,
): iam.Role {
  const role = new iam.Role(stack, id, {
    assumedBy: new iam.ServicePrincipal("events.amazonaws.com"),
  });
  machine.grantStartExecution(role);
  accept(role, { "NIST.800.53.R5-IAMNoInlinePolicy": INLINE_IS_MEANT });
  return role;
}

/** `record-failure` is `RecordFailure` in the ids of a template. */
function pascalCase(name: string): string {
  return name.replaceAll(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());
}
