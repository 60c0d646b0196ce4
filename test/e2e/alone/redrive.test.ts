import {
  DeleteFunctionConcurrencyCommand,
  LambdaClient,
  PutFunctionConcurrencyCommand,
} from "@aws-sdk/client-lambda";
import { expect, test } from "vitest";
import { groupOf } from "../../../kubernetes/groups.ts";
import { executionOf, followExecution } from "../../../local/follow.ts";
import { waitFor } from "../../../local/wait.ts";
import {
  artefactsOf,
  aws,
  endOf,
  executions,
  functionName,
  openShop,
  raiseAlert,
  rbac,
  resultOf,
  stage,
  stateNames,
  verify,
  victimOf,
} from "../harness.ts";

const lambda = new LambdaClient(aws);
const APPLY_POLICY = { FunctionName: functionName("ApplyPolicy") };

async function apiServer(action: "stop" | "start"): Promise<void> {
  const answer = await fetch(`${stage.controlUrl}/${action}`, { method: "POST" });
  if (!answer.ok) throw new Error(`cannot ${action} the API server: ${await answer.text()}`);
}

/** Redrives, and waits for the end of the second attempt. */
async function redrive(arn: string) {
  await executions.redrive(arn);
  return followExecution(arn, executions);
}

test("with the API server gone before ApplyPolicy the run fails, and a redrive contains", async () => {
  const shop = await openShop("outage");
  // Held back by Lambda itself, ApplyPolicy waits in its retries until the API server is gone.
  await lambda.send(
    new PutFunctionConcurrencyCommand({ ...APPLY_POLICY, ReservedConcurrentExecutions: 0 }),
  );
  const { id } = await raiseAlert(shop.namespace, victimOf(shop));
  const arn = await executionOf(id, executions);
  await waitFor({ what: "ApplyPolicy", limitMs: 30_000 }, async () =>
    (await stateNames(arn)).includes("ApplyPolicy") ? true : undefined,
  );
  await apiServer("stop");
  await lambda.send(new DeleteFunctionConcurrencyCommand(APPLY_POLICY));

  const failed = await followExecution(arn, executions);
  expect(failed).toMatchObject({ status: "FAILED", error: "KubernetesUnavailable" });
  const before = await stateNames(arn);
  expect(before.at(-1)).toBe("ApplyPolicy");

  await apiServer("start");
  const result = resultOf(await redrive(arn));

  expect(result).toMatchObject({ verdict: "contained", missing: [] });
  const after = (await stateNames(arn)).slice(before.length);
  expect(after.slice(0, 3)).toEqual(["ApplyPolicy", "Applied", "CompleteAndPreserve"]);
  expect(after.slice(-3)).toEqual(["SnapshotAfter", "RecordRun", "Notify"]);
  expect(await artefactsOf(result.case.runId)).toHaveLength(18);
  expect(await verify(result.case.runId)).toMatchObject({ verified: true, problems: [] });
});

test("a right that is missing stops the run before any write, says which, and a redrive contains", async () => {
  const shop = await openShop("rights");
  const name = groupOf("ApplyPolicy");
  const { roleRef, subjects } = await rbac.readClusterRoleBinding({ name });
  await rbac.deleteClusterRoleBinding({ name });

  const { id } = await raiseAlert(shop.namespace, victimOf(shop));
  const failed = await endOf(id);

  expect(failed).toMatchObject({ status: "FAILED", error: "PermissionMissing" });
  expect(failed.cause).toMatch(/may not .*patch pods/);
  expect((await stateNames(failed.arn)).at(-1)).toBe("Authenticate");

  await rbac.createClusterRoleBinding({
    body: { metadata: { name }, roleRef, ...(subjects && { subjects }) },
  });
  expect(resultOf(await redrive(failed.arn)).verdict).toBe("contained");
});
