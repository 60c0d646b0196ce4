/**
 * Systems Manager and the agent of one instance, as far as a Run Command needs them: this end of
 * AWS's API, on loopback. Scripts really run, in a shell of this machine.
 */
import { randomUUID } from "node:crypto";
import type { SSMClientConfig } from "@aws-sdk/client-ssm";
import * as z from "zod";
import { endOfProgram } from "../programs.ts";
import { type LoopbackServer, serve } from "./loopback.ts";

export interface SystemsManager extends LoopbackServer {
  readonly config: SSMClientConfig;
}

const Send = z.object({
  InstanceIds: z.tuple([z.string()]),
  DocumentName: z.literal("AWS-RunShellScript"),
  Parameters: z.object({ commands: z.array(z.string()), executionTimeout: z.array(z.string()) }),
});
const Get = z.object({ CommandId: z.string() });

/** `onlineAfter` is how often the instance is asked for before its agent has reported. */
export async function startSystemsManager(options: {
  readonly instanceId: string;
  readonly onlineAfter?: number;
  /** What the shell of the instance runs with. */
  readonly env?: NodeJS.ProcessEnv;
  /** What runs a script, given as last argument. @default sh -c */
  readonly shell?: readonly [string, ...string[]];
  /** Never ends, whatever the script. */
  readonly hangs?: boolean;
}): Promise<SystemsManager> {
  const { instanceId, onlineAfter = 0, env = process.env, hangs = false } = options;
  const [shell, ...flags] = options.shell ?? ["sh", "-c"];
  const invocations = new Map<string, object>();
  let asked = 0;

  async function runScript(script: string, id: string): Promise<void> {
    const { code, out, err } = await endOfProgram(shell, [...flags, script], { env });
    const status = code === 0 ? "Success" : "Failed";
    invocations.set(id, {
      ...{ Status: status, StatusDetails: status, ResponseCode: code },
      ...{ StandardOutputContent: out, StandardErrorContent: err },
    });
  }

  const actions: Record<string, (input: unknown) => object> = {
    DescribeInstanceInformation: () => {
      asked += 1;
      const PingStatus = asked > onlineAfter ? "Online" : "ConnectionLost";
      return { InstanceInformationList: [{ InstanceId: instanceId, PingStatus }] };
    },
    SendCommand: (input) => {
      const { InstanceIds, Parameters } = Send.parse(input);
      if (InstanceIds[0] !== instanceId) return { __type: "InvalidInstanceId" };
      const CommandId = randomUUID();
      invocations.set(CommandId, { Status: "InProgress", StatusDetails: "InProgress" });
      if (!hangs) void runScript(Parameters.commands.join("\n"), CommandId);
      return { Command: { CommandId, Status: "Pending" } };
    },
    GetCommandInvocation: (input) =>
      invocations.get(Get.parse(input).CommandId) ?? { __type: "InvocationDoesNotExist" },
  };

  const server = await serve(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const action = String(request.headers["x-amz-target"]).split(".")[1] ?? "";
    const answer = actions[action]?.(JSON.parse(Buffer.concat(chunks).toString())) ?? {
      __type: "UnknownOperationException",
    };
    response.writeHead("__type" in answer ? 400 : 200, {
      "content-type": "application/x-amz-json-1.1",
    });
    response.end(JSON.stringify(answer));
  });
  return {
    ...server,
    config: {
      region: "us-east-1",
      endpoint: `http://${server.address}`,
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    },
  };
}
