import { expect, test } from "vitest";
import {
  type AccountWorld,
  EXISTING,
  healthyWorld,
  memoryAccount,
} from "../../test/memory/account.ts";
import { builtFindings, observeBuilt } from "./built.ts";
import { type Finding, seen, unseen } from "./finding.ts";

async function notOk(change: Partial<AccountWorld> = {}): Promise<readonly Finding[]> {
  const world = { ...healthyWorld(), ...change };
  if (world.cluster.kind === "unseen" || world.cluster.value === null)
    throw new Error("no cluster");
  const observed = await observeBuilt(world.cluster.value, memoryAccount(world));
  const findings = builtFindings(EXISTING, observed, EXISTING.endpoints);
  return findings.filter(({ outcome }) => outcome !== "ok");
}

test("a network as the stage made it is ok in every check", async () => {
  expect(await notOk()).toEqual([]);
});

test("what was changed since breaks the stage, and stops no deployment that may mend it", async () => {
  const findings = await notOk({
    endpoints: seen([]),
    dns: seen({ support: false, hostnames: false }),
  });

  expect(findings.map(({ check }) => check)).toEqual([
    "vpc-dns",
    ...EXISTING.endpoints.map(() => "interface-endpoint"),
  ]);
  for (const finding of findings) {
    expect(finding).toMatchObject({ outcome: "wrong", severity: "breaks" });
  }
});

test("a cluster of which EKS names no VPC leaves its network unknown", async () => {
  const { cluster } = healthyWorld();
  if (cluster.kind === "unseen" || cluster.value === null) throw new Error("no cluster");

  const findings = await notOk({ cluster: seen({ ...cluster.value, vpcId: null }) });

  expect(findings).toEqual([
    expect.objectContaining({ check: "cluster-network", outcome: "unknown" }),
  ]);
});

test("what was not seen is unknown", async () => {
  const findings = await notOk({ endpoints: unseen("needs ec2:DescribeVpcEndpoints") });

  expect(new Set(findings.map(({ outcome }) => outcome))).toEqual(new Set(["unknown"]));
});
