import {
  CloudWatchLogsClient,
  paginateDescribeLogGroups,
  paginateFilterLogEvents,
} from "@aws-sdk/client-cloudwatch-logs";
import { expect, test } from "vitest";
import { workflowNamed } from "../../workflows/definition.ts";
import { aws, endOf, openShop, raiseAlert, resultOf, victimOf } from "./harness.ts";

const logs = new CloudWatchLogsClient(aws);

/** Every line that the product's functions have logged, by function. */
async function logLines(): Promise<ReadonlyMap<string, readonly string[]>> {
  const lines = new Map<string, string[]>();
  const prefix = "/aws/lambda/local-eks-containment-";
  for await (const { logGroups = [] } of paginateDescribeLogGroups({ client: logs }, {})) {
    for (const { logGroupName = "" } of logGroups.filter((g) =>
      g.logGroupName?.startsWith(prefix),
    )) {
      const found: string[] = [];
      const pages = paginateFilterLogEvents({ client: logs }, { logGroupName });
      for await (const { events = [] } of pages) found.push(...events.map((e) => e.message ?? ""));
      lines.set(logGroupName.slice(prefix.length), found);
    }
  }
  return lines;
}

/** The states that look until what they wait for has come. */
const LOOKS_AGAIN: readonly string[] = ["CompletePolicy", "FollowSnapshots"];

test("every line of a run's log names its case and execution, and none holds a token", async () => {
  const shop = await openShop("logs");
  const { id } = await raiseAlert(shop.namespace, victimOf(shop));
  const result = resultOf(await endOf(id));

  const lines = await logLines();

  const ofTheRun = [...lines.values()].flat().filter((line) => line.includes(result.execution.arn));
  const states = workflowNamed("contain").invokes.filter((state) => state !== "RecordIgnored");
  for (const state of states) {
    const ends = ofTheRun.filter((line) => line.includes(`${state} ends`));
    if (LOOKS_AGAIN.includes(state)) expect(ends.length, state).toBeGreaterThan(0);
    else expect(ends, state).toHaveLength(1);
  }
  const knowTheCase = ofTheRun.filter((line) => !/"state":"(Triage|OpenCase)"/.test(line));
  for (const line of knowTheCase) expect(line).toContain(`"case":"${result.case.id}"`);
  expect([...lines.values()].flat().join("\n")).not.toMatch(
    /k8s-aws-v1\.|X-Amz-Signature|X-Amz-Security-Token|Bearer /i,
  );
});
