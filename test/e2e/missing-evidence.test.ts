import {
  GetFunctionConfigurationCommand,
  LambdaClient,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionUpdatedV2,
} from "@aws-sdk/client-lambda";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  aws,
  deployment,
  endOf,
  openShop,
  policyNames,
  raiseAlert,
  resultOf,
  verify,
  victimOf,
} from "./harness.ts";

const lambda = new LambdaClient(aws);
/** Without a record of what it finds, none of these writes anything. */
const CAUGHT = ["SnapshotBefore", "PreserveNode", "SnapshotNodeEbs", "SnapshotAfter"];

/** Leads a function's evidence to a bucket, which need not exist. */
async function evidenceOf(state: string, bucket: string): Promise<void> {
  const FunctionName = `local-eks-containment-${state}`;
  const { Environment } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
  await lambda.send(
    new UpdateFunctionConfigurationCommand({
      FunctionName,
      Environment: { Variables: { ...Environment?.Variables, EVIDENCE_BUCKET: bucket } },
    }),
  );
  await waitUntilFunctionUpdatedV2({ client: lambda, maxWaitTime: 60 }, { FunctionName });
}

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
