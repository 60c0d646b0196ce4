import { setTimeout as delay } from "node:timers/promises";
import {
  DescribeInstanceInformationCommand,
  GetCommandInvocationCommand,
  SendCommandCommand,
  SSMClient,
  type SSMClientConfig,
} from "@aws-sdk/client-ssm";

export interface InstanceCommandOptions {
  readonly progress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** For the agent of a new instance to report. @default 300000 */
  readonly onlineLimitMs?: number;
  /** For the script. @default 300000 */
  readonly runLimitMs?: number;
  /** @default 2000 */
  readonly pollMs?: number;
}

const RUNNING = new Set(["Pending", "InProgress", "Delayed", "Cancelling"]);

/** Runs shell scripts on instances through Systems Manager: no key, no inbound rule. */
export function instanceCommands(config: SSMClientConfig) {
  const ssm = new SSMClient(config);

  async function isOnline(instanceId: string): Promise<boolean> {
    const { InstanceInformationList: [instance] = [] } = await ssm.send(
      new DescribeInstanceInformationCommand({
        Filters: [{ Key: "InstanceIds", Values: [instanceId] }],
      }),
    );
    return instance?.PingStatus === "Online";
  }

  async function invocation(CommandId: string, InstanceId: string) {
    try {
      return await ssm.send(new GetCommandInvocationCommand({ CommandId, InstanceId }));
    } catch (error) {
      // Known to the service, not yet to the part of it that answers here.
      if (error instanceof Error && error.name === "InvocationDoesNotExist") return undefined;
      throw error;
    }
  }

  return {
    isOnline,
    /**
     * Waits until the instance's agent reports, runs the script as root and returns what it printed.
     * Throws with its errors when it fails, and when either takes longer than its limit.
     */
    async run(
      instanceId: string,
      script: string,
      options: InstanceCommandOptions,
    ): Promise<string> {
      const { progress, signal, pollMs = 2_000 } = options;
      const { onlineLimitMs = 300_000, runLimitMs = 300_000 } = options;
      const pause = () => delay(pollMs, undefined, { signal });
      const onlineBy = performance.now() + onlineLimitMs;
      for (let first = true; !(await isOnline(instanceId)); first = false) {
        if (performance.now() > onlineBy) {
          throw new Error(
            `${instanceId} has not reported to Systems Manager for ${onlineLimitMs / 1000} s. Is it running, and can it reach the endpoints ssm, ssmmessages and ec2messages?`,
          );
        }
        if (first) progress(`waiting for the agent of ${instanceId} to report`);
        await pause();
      }
      const { Command } = await ssm.send(
        new SendCommandCommand({
          InstanceIds: [instanceId],
          DocumentName: "AWS-RunShellScript",
          Parameters: { commands: [script], executionTimeout: [String(runLimitMs / 1000)] },
        }),
      );
      if (!Command?.CommandId) throw new Error("Systems Manager gave the command no id");
      progress(`command ${Command.CommandId} is on its way to ${instanceId}`);
      const doneBy = performance.now() + runLimitMs;
      for (;;) {
        const state = await invocation(Command.CommandId, instanceId);
        if (state?.Status === "Success") return state.StandardOutputContent ?? "";
        if (state?.Status && !RUNNING.has(state.Status)) {
          const { StatusDetails, StandardErrorContent = "" } = state;
          throw new Error(
            `command ${Command.CommandId} on ${instanceId}: ${StatusDetails}\n${StandardErrorContent.trim()}`,
          );
        }
        if (performance.now() > doneBy) {
          throw new Error(
            `command ${Command.CommandId} on ${instanceId} was not through after ${runLimitMs / 1000} s; \`aws ssm get-command-invocation\` says what became of it`,
          );
        }
        await pause();
      }
    },
  };
}
