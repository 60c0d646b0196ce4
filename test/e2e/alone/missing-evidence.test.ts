import {
  GetFunctionConfigurationCommand,
  LambdaClient,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionUpdatedV2,
} from "@aws-sdk/client-lambda";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StateName } from "../../../functions/contract.ts";
import { followExecution } from "../../../local/follow.ts";
import {
  aws,
  core,
  deployment,
  endOf,
  executions,
  functionName,
  openShop,
  policyNames,
  raiseAlert,
  resultOf,
  stateNames,
  verify,
  victimOf,
} from "../harness.ts";

const lambda = new LambdaClient(aws);
/** Without a record of what it finds, none of these writes anything. */
const CAUGHT = ["SnapshotBefore", "PreserveNode", "SnapshotNodeEbs", "SnapshotAfter"] as const;

/** Leads a function's evidence to a bucket, which need not exist. */
async function evidenceOf(state: StateName, bucket: string): Promise<void> {
  const FunctionName = functionName(state);
  const { Environment } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
  await lambda.send(
    new UpdateFunctionConfigurationCommand({
      FunctionName,
      Environment: { Variables: { ...Environment?.Variables, EVIDENCE_BUCKET: bucket } },
    }),
  );
  await waitUntilFunctionUpdatedV2({ client: lambda, maxWaitTime: 60 }, { FunctionName });
}

describe("where only what is not mandatory cannot be written", () => {
  beforeAll(() => Promise.all(CAUGHT.map((state) => evidenceOf(state, "no-such-bucket"))), 60_000);
  afterAll(
    () => Promise.all(CAUGHT.map((state) => evidenceOf(state, deployment.evidenceBucket))),
    60_000,
  );

  test("with no evidence to be had the pod is contained all the same, and the run says unverified", async () => {
    const shop = await openShop("blind");
    const { id } = await raiseAlert(shop.namespace, victimOf(shop));

    const result = resultOf(await endOf(id));

    expect(result).toMatchObject({
      verdict: "unverified",
      reasons: [{ code: "unverified", message: "EvidenceDenied" }],
      timeToContainMs: null,
    });
    expect(result.missing.map(({ state, error }) => [state, error])).toEqual(
      CAUGHT.map((state) => [state, "EvidenceDenied"]),
    );
    expect(await policyNames(shop.namespace)).toContain(`quarantine-${result.case.id}`);
    expect(await verify(result.case.runId)).toMatchObject({ verified: true, problems: [] });
  });
});

describe.each(["OpenCase", "Authenticate"] as const)("where S3 refuses what %s writes", (state) => {
  beforeAll(() => evidenceOf(state, "no-such-bucket"), 60_000);
  afterAll(() => evidenceOf(state, deployment.evidenceBucket), 60_000);

  test("the run fails before the first change, and a redrive contains", async () => {
    const shop = await openShop("refused");
    const victim = victimOf(shop);
    const policies = await policyNames(shop.namespace);
    const { id } = await raiseAlert(shop.namespace, victim);

    const failed = await endOf(id);

    expect(failed).toMatchObject({ status: "FAILED", error: "EvidenceDenied" });
    expect((await stateNames(failed.arn)).at(-1)).toBe(state);
    const pod = await core.readNamespacedPod({ namespace: shop.namespace, name: victim.name });
    expect(pod.metadata?.labels).toHaveProperty("app", "checkout");
    expect(await policyNames(shop.namespace)).toEqual(policies);

    await evidenceOf(state, deployment.evidenceBucket);
    await executions.redrive(failed.arn);
    const result = resultOf(await followExecution(failed.arn, executions));
    expect(result.verdict).toBe("contained");
    expect(await verify(result.case.runId)).toMatchObject({ verified: true, problems: [] });
  });
});
