import { expect, test } from "vitest";
import { networkPolicies } from "../../test/memory/cluster.ts";
import {
  aContainedCase,
  type CaseWorld,
  lookAt,
  putBack,
} from "../../test/memory/contained-case.ts";
import type { CaseLook } from "../reverify/reverify-case.ts";
import { driftNotificationOf } from "./drift-notification.ts";

const WHERE = { stage: "prod", bucket: "evidence" };

function told(look: CaseLook) {
  if (!("record" in look)) throw new Error(`was not judged: ${look.looked}`);
  return driftNotificationOf(look, WHERE);
}

async function drifted(): Promise<CaseWorld> {
  const world = await aContainedCase();
  world.kubernetes.state.policies = networkPolicies();
  return world;
}

test("drift is told with what it is, the verdict now, and the commands to look", async () => {
  const world = await drifted();

  const look = await lookAt(world);
  const { subject, message } = told(look) ?? { subject: "", message: "" };

  const { record } = look as Extract<CaseLook, { record: unknown }>;
  expect(subject).toBe("[prod] containment has drifted: pod payments/checkout-1");
  expect(message).toContain("Verdict now: partial.");
  expect(message).toContain(`policyMissing: NetworkPolicy quarantine-${record.case.id}`);
  expect(message).toContain(`npx containment reverify ${record.case.id} --stage prod`);
  expect(message).toContain(`npx containment run ${record.case.runId} --stage prod`);
  expect(message).not.toContain("Put back");
});

test("nothing is told of a look that brings no news", async () => {
  expect(told(await lookAt(await aContainedCase()))).toBeNull();
});

test("that something was put back is told, and that the brakes or the bound kept it from being", async () => {
  const world = await drifted();
  const braked = told(await lookAt(world, { onDrift: "reapply" }));
  const protectedSince = { onDrift: "reapply", protectedNamespaces: ["payments"] } as const;
  const guarded = told(await lookAt(await drifted(), protectedSince));
  const reapplied = await putBack(world, 3);
  const holds = told(await lookAt(world, { onDrift: "reapply", reapplied }));
  world.kubernetes.state.policies = networkPolicies();
  const over = told(await lookAt(world, { onDrift: "reapply" }));

  expect(braked?.message).toContain("kill switch is engaged, or could not be read");
  expect(guarded?.message).toContain("Put back   no: namespace payments is protected");
  expect(guarded?.message).not.toContain("kill switch");
  expect(holds?.subject).toContain("containment holds again");
  expect(holds?.message).toContain("3 of at most 3 times in this case");
  expect(over?.message).toContain("no more: somebody undoes it each time");
});
