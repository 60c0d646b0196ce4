import { describe, expect, test } from "vitest";
import {
  type DeployedStage,
  deployedFindings,
  type GrantedEntry,
  observeDeployed,
  type Stack,
} from "./deployed.ts";
import { type Finding, seen, unseen } from "./finding.ts";

const PLACE = {
  stage: "prod",
  region: "eu-west-1",
  cluster: { name: "prod" },
  evidence: { lock: "compliance", retentionDays: 365 },
  response: { maintenanceWindows: [], circuitBreaker: { targets: 2, minutes: 10 } },
} as const;

const NOW = new Date("2026-11-22T17:55:00.000Z");

const STACKS: readonly Stack[] = [
  { name: "evidence", status: "CREATE_COMPLETE", outputs: { EvidenceBucket: "evidence-1" } },
  { name: "playbook", status: "UPDATE_COMPLETE", outputs: {} },
  { name: "detection", status: "CREATE_COMPLETE", outputs: {} },
];

const role = "arn:aws:iam::111122223333:role/prod-eks-containment-ApplyPolicy";
const entry: GrantedEntry = { principalArn: role, groups: ["a", "b"] };

const HEALTHY: Omit<DeployedStage, "stacks"> = {
  grantedEntries: async () => seen([entry]),
  groupsOf: async () => seen(["b", "a"]),
  parameter: async (name) => seen(name === "/eks-containment/prod/kill-switch" ? "released" : null),
  keys: async () => seen([{ key: "brakes/prod/1.json", storedAt: "2026-11-22T17:54:00.000Z" }]),
  objectLock: async (bucket) =>
    seen(bucket === "evidence-1" ? { mode: "COMPLIANCE", days: 365 } : null),
};

async function findingsOf(
  change: Partial<DeployedStage> = {},
  stacks: readonly Stack[] = STACKS,
): Promise<readonly Finding[]> {
  const port: DeployedStage = { ...HEALTHY, stacks: async () => seen(stacks), ...change };
  return deployedFindings(PLACE, await observeDeployed(PLACE, stacks, port, NOW));
}

const notOk = (findings: readonly Finding[]) => findings.filter(({ outcome }) => outcome !== "ok");

test("a circuit breaker that lets nothing more through is found", async () => {
  const at = (storedAt: string) => ({ key: `brakes/prod/${storedAt}.json`, storedAt });
  const newest = [at("2026-11-22T17:54:00.000Z"), at("2026-11-22T17:46:00.000Z")];

  expect(notOk(await findingsOf({ keys: async () => seen(newest) }))).toMatchObject([
    { check: "brake", outcome: "wrong", saw: expect.stringContaining("requests by hand act") },
  ]);
  expect(notOk(await findingsOf({ keys: async () => unseen("denied") }))).toMatchObject([
    { check: "brake", outcome: "unknown", saw: "not seen: denied" },
  ]);
});

test("a stage as it was deployed is ok in every check", async () => {
  expect(notOk(await findingsOf())).toEqual([]);
});

describe("what was changed by hand is found, with the command that puts it back", () => {
  test.each<[what: string, change: Partial<DeployedStage>, saw: RegExp, command: string]>([
    [
      "a deleted access entry",
      { groupsOf: async () => seen(null) },
      /access entry is gone/,
      `aws eks create-access-entry --cluster-name prod --principal-arn ${role} --kubernetes-groups a b --type STANDARD --region eu-west-1`,
    ],
    [
      "a group that was taken away",
      { groupsOf: async () => seen(["a"]) },
      /^it is not in b$/,
      `aws eks update-access-entry --cluster-name prod --principal-arn ${role} --kubernetes-groups a b --region eu-west-1`,
    ],
    [
      "a group that was added",
      { groupsOf: async () => seen(["a", "b", "admins"]) },
      /^it was put into admins$/,
      `aws eks update-access-entry --cluster-name prod --principal-arn ${role} --kubernetes-groups a b --region eu-west-1`,
    ],
    [
      "an engaged kill switch",
      { parameter: async () => seen("engaged") },
      /every run is an audit/,
      "aws ssm put-parameter --name /eks-containment/prod/kill-switch --value released --type String --overwrite --region eu-west-1",
    ],
    [
      "a deleted kill switch",
      { parameter: async () => seen(null) },
      /every run fails/,
      "aws ssm put-parameter --name /eks-containment/prod/kill-switch --value released --type String --overwrite --region eu-west-1",
    ],
    [
      "a lock that was taken off",
      { objectLock: async () => seen(null) },
      /not locked/,
      `aws s3api put-object-lock-configuration --bucket evidence-1 --object-lock-configuration '{"ObjectLockEnabled":"Enabled","Rule":{"DefaultRetention":{"Mode":"COMPLIANCE","Days":365}}}' --region eu-west-1`,
    ],
    [
      "a lock that was shortened",
      { objectLock: async () => seen({ mode: "GOVERNANCE", days: 1 }) },
      /^GOVERNANCE, 1 days; the settings say COMPLIANCE, 365 days$/,
      `aws s3api put-object-lock-configuration --bucket evidence-1 --object-lock-configuration '{"ObjectLockEnabled":"Enabled","Rule":{"DefaultRetention":{"Mode":"COMPLIANCE","Days":365}}}' --region eu-west-1`,
    ],
  ])("%s", async (_what, change, saw, command) => {
    const [finding, ...others] = notOk(await findingsOf(change));

    expect(others).toEqual([]);
    expect(finding).toMatchObject({ outcome: "wrong", remedy: { commands: [command] } });
    expect(finding?.saw).toMatch(saw);
  });

  test.each([
    ["is not there", STACKS.slice(0, 2)],
    [
      "was rolled back",
      [
        ...STACKS.slice(0, 2),
        { name: "detection", status: "UPDATE_ROLLBACK_COMPLETE", outputs: {} },
      ],
    ],
  ])("a stack that %s", async (_what, stacks) => {
    const findings = notOk(await findingsOf({}, stacks));

    expect(findings).toEqual([
      expect.objectContaining({
        check: "stack",
        subject: "prod-eks-containment-detection",
        severity: "breaks",
      }),
    ]);
    expect(JSON.stringify(findings)).toContain("npx sst deploy --stage prod");
  });
});

test("what was not seen is unknown, part by part", async () => {
  const hidden = async () => unseen("needs eks:Look");
  for (const part of ["grantedEntries", "groupsOf", "parameter", "objectLock"] as const) {
    const findings = notOk(await findingsOf({ [part]: hidden }));

    expect(findings, part).toEqual([
      expect.objectContaining({ outcome: "unknown", saw: "needs eks:Look" }),
    ]);
  }
});
