/**
 * Somebody who runs code where one of the product's functions runs: a function of the tests' own that
 * has the same role and the same network. What it may do, whoever takes that function over may do.
 */
import {
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
  waitUntilFunctionActiveV2,
} from "@aws-sdk/client-lambda";
import { strToU8, zipSync } from "fflate";
import type { StateName } from "../../functions/contract.ts";
import { aws, functionName } from "./harness.ts";

const lambda = new LambdaClient(aws);

/** One call of AWS: the package and the client of its service, the command, and its input. */
export interface Call {
  readonly sdk: "s3" | "ec2" | "eks" | "eventbridge" | "iam";
  readonly client: string;
  readonly command: string;
  readonly input: Readonly<Record<string, unknown>>;
}

/** `ok`, or the name and the message of the error. */
export interface Answer {
  readonly name: string;
  readonly message: string;
}

export interface Intruder {
  readonly roleName: string;
  /** Makes the calls one after another. */
  answersTo(calls: readonly Call[]): Promise<readonly Answer[]>;
  leave(): Promise<void>;
}

const CODE = `
const dates = (key, value) => (key === "RetainUntilDate" ? new Date(value) : value);
export const handler = async (calls) => {
  const answers = [];
  for (const { sdk, client, command, input } of JSON.parse(JSON.stringify(calls), dates)) {
    const module = await import("@aws-sdk/client-" + sdk);
    try {
      await new module[client]({ maxAttempts: 1 }).send(new module[command](input));
      answers.push({ name: "ok", message: "" });
    } catch ({ name, message }) {
      answers.push({ name, message });
    }
  }
  return answers;
};`;

/** Puts an intruder beside a state's function. */
export async function intruderIn(state: StateName): Promise<Intruder> {
  const product = { FunctionName: functionName(state) };
  const { Role = "", VpcConfig } = await lambda.send(new GetFunctionConfigurationCommand(product));
  const { SubnetIds = [], SecurityGroupIds = [] } = VpcConfig ?? {};
  const FunctionName = `intruder-in-${state}`;
  await lambda.send(
    new CreateFunctionCommand({
      FunctionName,
      Role,
      Runtime: "nodejs24.x",
      Handler: "index.handler",
      Timeout: 60,
      Code: { ZipFile: zipSync({ "index.mjs": strToU8(CODE) }) },
      ...(SubnetIds.length > 0 && { VpcConfig: { SubnetIds, SecurityGroupIds } }),
    }),
  );
  await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 60 }, { FunctionName });
  return {
    roleName: Role.slice(Role.lastIndexOf("/") + 1),
    async answersTo(calls) {
      const { Payload, FunctionError } = await lambda.send(
        new InvokeCommand({ FunctionName, Payload: Buffer.from(JSON.stringify(calls)) }),
      );
      const text = Buffer.from(Payload ?? []).toString("utf8");
      if (FunctionError) throw new Error(`the intruder in ${state} failed: ${text}`);
      return JSON.parse(text);
    },
    async leave() {
      await lambda.send(new DeleteFunctionCommand({ FunctionName }));
    },
  };
}
