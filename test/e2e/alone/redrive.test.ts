import { expect, onTestFinished, test } from "vitest";
import { caseOf } from "../../../core/case/case.ts";
import { groupOf } from "../../../kubernetes/groups.ts";
import { followExecution } from "../../../local/follow.ts";
import {
  artefactsOf,
  containment,
  endOf,
  executions,
  openShop,
  raiseAlert,
  rbac,
  resultOf,
  runHeldAt,
  stage,
  stateNames,
  verify,
  victimOf,
} from "../harness.ts";

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
  const { arn, release } = await runHeldAt("ApplyPolicy", shop.namespace, victimOf(shop));
  onTestFinished(() => apiServer("start"));
  await apiServer("stop");
  await release();

  const failed = await followExecution(arn, executions);
  expect(failed).toMatchObject({ status: "FAILED", error: "KubernetesUnavailable" });
  const before = await stateNames(arn);
  expect(before.at(-1)).toBe("ApplyPolicy");

  await apiServer("start");
  const { id: caseId } = caseOf({
    arn,
    name: failed.name,
    startedAt: failed.startedAt.toISOString(),
  });
  const looked = await containment("runs", "--limit", "100");
  expect(looked.out).toMatch(new RegExp(`${caseId}  not recorded: FAILED, opened  pod `));
  const { code, out, err } = await containment("redrive", caseId, "--yes");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toMatch(
    / of \S+contain ended FAILED at ApplyPolicy\.\n {2}Error {3}KubernetesUnavailable/,
  );
  expect(out).toMatch(/Again {3}ApplyPolicy\n {2}Then {4}Applied, /);
  expect(out).toMatch(
    /SnapshotAfter +\d+ ms\n {2}RecordRun +\d+ ms\n {2}Notify +\d+ ms\nSUCCEEDED: contained\n$/,
  );
  const again = await containment("redrive", caseId, "--yes");
  expect(again.code).toBe(2);
  expect(again.err).toContain("succeeded: there is nothing to redrive");
  const result = resultOf(await executions.describe(arn));

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
  const body = { metadata: { name }, roleRef, ...(subjects && { subjects }) };
  let given = false;
  const giveBack = async () => {
    if (!given) await rbac.createClusterRoleBinding({ body });
    given = true;
  };
  await rbac.deleteClusterRoleBinding({ name });
  onTestFinished(giveBack);

  const { id } = await raiseAlert(shop.namespace, victimOf(shop));
  const failed = await endOf(id);

  expect(failed).toMatchObject({ status: "FAILED", error: "PermissionMissing" });
  expect(failed.cause).toMatch(/may not .*patch pods/);
  expect((await stateNames(failed.arn)).at(-1)).toBe("Authenticate");

  await giveBack();
  expect(resultOf(await redrive(failed.arn)).verdict).toBe("contained");
});
