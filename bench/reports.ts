/** What the functions themselves took, from the REPORT line that Lambda logs for each invocation. */
import { CloudWatchLogsClient, paginateFilterLogEvents } from "@aws-sdk/client-cloudwatch-logs";
import type { AwsClientConfig } from "../local/stage.ts";

/** Milliseconds inside the handler, of warm and of cold invocations. */
export interface Durations {
  readonly warm: readonly number[];
  readonly cold: readonly number[];
}

export async function durationsOf(aws: AwsClientConfig, functionName: string): Promise<Durations> {
  const logs = new CloudWatchLogsClient(aws);
  const warm: number[] = [];
  const cold: number[] = [];
  const logGroupName = `/aws/lambda/${functionName}`;
  for await (const { events = [] } of paginateFilterLogEvents({ client: logs }, { logGroupName })) {
    for (const { message = "" } of events) {
      const duration = /^REPORT .*?\bDuration: ([\d.]+) ms/.exec(message)?.[1];
      if (duration === undefined) continue;
      (message.includes("Init Duration") ? cold : warm).push(Number(duration));
    }
  }
  return { warm, cold };
}
