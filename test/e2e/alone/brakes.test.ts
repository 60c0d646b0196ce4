/*
 * Brakes in the middle of a run and under a flood. These tests engage the stage's kill switch, hold
 * functions back and change the settings of OpenCase, so nothing else may run on the stage beside them.
 */
import {
  GetFunctionConfigurationCommand,
  LambdaClient,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionUpdatedV2,
} from "@aws-sdk/client-lambda";
import { afterEach, expect, test } from "vitest";
import type { StateName } from "../../../functions/contract.ts";
import { followExecution } from "../../../local/follow.ts";
import type { ScenePod } from "../../../local/scene.ts";
import {
  aws,
  deployment,
  endOf,
  executions,
  functionName,
  openShop,
  policyNames,
  raiseAlert,
  resultOf,
  runHeldAt,
  stage,
  store,
  turnKillSwitch,
  verify,
  victimOf,
} from "../harness.ts";

const lambda = new LambdaClient(aws);
const functionOf = (state: StateName) => ({ FunctionName: functionName(state) });

afterEach(() => turnKillSwitch("released"));

/** The end of a run whose kill switch is engaged while it waits at a state. */
async function engagedAt(state: StateName, namespace: string, victim: ScenePod) {
  const { arn, release } = await runHeldAt(state, namespace, victim);
  await turnKillSwitch("engaged");
  await release();
  return resultOf(await followExecution(arn, executions));
}

test("engaged after the case was opened, the kill switch still keeps the run from its first write", async () => {
  const shop = await openShop("late");
  const before = await policyNames(shop.namespace);

  const result = await engagedAt("Authenticate", shop.namespace, victimOf(shop));

  expect(result).toMatchObject({
    mode: "audit",
    verdict: "audited",
    quarantinedAt: null,
    brakes: [
      {
        brake: "killSwitch",
        withheld: "every write of the quarantine",
        lift: expect.stringContaining(`--name ${deployment.killSwitch} --value released`),
      },
    ],
  });
  expect(await policyNames(shop.namespace)).toEqual(before);
  expect(await verify(result.case.runId)).toMatchObject({ verified: true });

  // The target is free: the next alert acts.
  await turnKillSwitch("released");
  const next = resultOf(await endOf((await raiseAlert(shop.namespace, victimOf(shop))).id));
  expect(next).toMatchObject({ verdict: "contained", brakes: [] });
});

test("engaged between two phases, it holds the later one back, and what was written stands", async () => {
  const shop = await openShop("between");

  const result = await engagedAt("CompletePolicy", shop.namespace, victimOf(shop));

  expect(result).toMatchObject({
    mode: "containment",
    verdict: "partial",
    brakes: expect.arrayContaining([
      expect.objectContaining({
        brake: "killSwitch",
        withheld: expect.stringContaining("the later phases of the quarantine"),
      }),
    ]),
  });
  expect(result.reasons).toContainEqual(expect.objectContaining({ code: "braked" }));
  expect(await policyNames(shop.namespace)).toContain(`quarantine-${result.case.id}`);
  expect(await verify(result.case.runId)).toMatchObject({ verified: true });
});

/** OpenCase with a circuit breaker that lets so many further targets through. */
async function limitTo(further: number): Promise<() => Promise<void>> {
  const openCase = functionOf("OpenCase");
  const { Environment } = await lambda.send(new GetFunctionConfigurationCommand(openCase));
  const variables = Environment?.Variables ?? {};
  const used = await store.list(`brakes/${stage.clusterName}/`, 1_000);
  const circuitBreaker = { targets: used.length + further, minutes: 1_440 };
  const response = { ...JSON.parse(variables.RESPONSE_SETTINGS ?? ""), circuitBreaker };
  const set = async (Variables: Record<string, string>) => {
    await lambda.send(
      new UpdateFunctionConfigurationCommand({ ...openCase, Environment: { Variables } }),
    );
    await waitUntilFunctionUpdatedV2({ client: lambda, maxWaitTime: 60 }, openCase);
  };
  await set({ ...variables, RESPONSE_SETTINGS: JSON.stringify(response) });
  return () => set(variables);
}

test("of three new targets at once the circuit breaker lets two through, and tells of the third", async () => {
  const shop = await openShop("flood");
  // One of each workload: a rollout for one pod would take its sibling away.
  const pods = [victimOf(shop), ...shop.frontend.pods, ...shop.database.pods];
  const restore = await limitTo(2);

  const results = await Promise.all(
    pods.map(async (pod) => resultOf(await endOf((await raiseAlert(shop.namespace, pod)).id))),
  ).finally(restore);

  const acting = results.filter(({ mode }) => mode === "containment");
  expect(pods).toHaveLength(3);
  expect(acting).toHaveLength(2);
  for (const { case: ref, mode, brakes } of results) {
    const names = await policyNames(shop.namespace);
    expect(names.includes(`quarantine-${ref.id}`)).toBe(mode === "containment");
    expect(brakes.map(({ brake }) => brake)).toEqual(mode === "audit" ? ["circuitBreaker"] : []);
  }
});
