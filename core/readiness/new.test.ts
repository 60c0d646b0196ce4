import { describe, expect, test } from "vitest";
import { type AccountWorld, healthyWorld, memoryAccount, NEW } from "../../test/memory/account.ts";
import { type Finding, seen, unseen } from "./finding.ts";
import { madeBefore, type NewObservation, newFindings, observeNew } from "./new.ts";

const OURS = { "sst:app": "eks-containment", "sst:stage": "demo" };

/** An account without a cluster of that name, with something changed. */
async function findingsIn(change: Partial<AccountWorld> = {}): Promise<readonly Finding[]> {
  return newFindings(NEW, await observe(change));
}

function observe(change: Partial<AccountWorld>): Promise<NewObservation> {
  const account = memoryAccount({ ...healthyWorld(), cluster: seen(null), ...change });
  return observeNew(NEW, account);
}

function clusterTagged(tags: Readonly<Record<string, string>>) {
  const { cluster } = healthyWorld();
  if (cluster.kind === "unseen" || cluster.value === null) throw new Error("no cluster");
  return seen({ ...cluster.value, name: NEW.name, tags });
}

const notOk = (findings: readonly Finding[]) => findings.filter(({ outcome }) => outcome !== "ok");

test("an account that offers everything is ok in every check", async () => {
  expect(notOk(await findingsIn())).toEqual([]);
});

describe("one thing wrong is one finding, which says what to change", () => {
  test.each<[what: string, change: Partial<AccountWorld>, check: string, saw: RegExp]>([
    [
      "a zone that is not there",
      { zones: seen(["eu-west-1a"]) },
      "availability-zones",
      /eu-west-1b cannot be used/,
    ],
    [
      "a version that is not offered",
      { versions: seen(["1.36"]) },
      "kubernetes-version",
      /offers 1\.36/,
    ],
    [
      "a prefix list of another region",
      { s3PrefixList: seen("pl-2") },
      "s3-prefix-list",
      /is pl-2/,
    ],
    [
      "an instance type that a zone lacks",
      { zonesOffering: seen(["eu-west-1a"]) },
      "instance-type",
      /not offered in eu-west-1b/,
    ],
    [
      "somebody else's cluster of that name",
      { cluster: clusterTagged({}) },
      "cluster-name",
      /not this stage's/,
    ],
    [
      "a VPC with the same addresses",
      { vpcs: seen([{ id: "vpc-9", ranges: ["10.0.0.0/24", "10.40.16.0/20"], tags: {} }]) },
      ...(["vpc-range", /overlaps vpc-9 .*can never be peered/] as const),
    ],
  ])("%s", async (_what, change, check, saw) => {
    const [finding, ...others] = notOk(await findingsIn(change));

    expect(others).toEqual([]);
    expect(finding).toMatchObject({ check, outcome: "wrong" });
    expect(finding?.saw).toMatch(saw);
    expect(JSON.stringify(finding)).toContain("stages.ts");
  });

  test("a region without an endpoint that is needed names it, who calls it and what to do", async () => {
    const { services } = healthyWorld();
    if (services.kind === "unseen") throw new Error("no services");
    const without = services.value.filter(({ name }) => !name.endsWith(".eks"));

    const [finding, ...others] = notOk(await findingsIn({ services: seen(without) }));

    expect(others).toEqual([]);
    expect(finding).toEqual({
      check: "endpoint-service",
      subject: "com.amazonaws.eu-west-1.eks",
      outcome: "wrong",
      severity: "stops",
      saw: "eu-west-1 offers no interface endpoint for it: a VPC without internet cannot reach it",
      remedy: {
        advice: "functions call it (eks is called). Choose another region in stages.ts.",
        commands: [],
      },
    });
  });

  test("an endpoint that one of the zones lacks", async () => {
    const { services } = healthyWorld();
    if (services.kind === "unseen") throw new Error("no services");
    const some = services.value.map((each) =>
      each.name.endsWith(".ec2") ? { ...each, zones: ["eu-west-1a"] } : each,
    );

    const findings = notOk(await findingsIn({ services: seen(some) }));

    expect(findings.map(({ saw }) => saw)).toEqual([
      "not offered in eu-west-1b; it is in eu-west-1a",
    ]);
  });
});

describe("a cluster that an earlier deployment made", () => {
  const own = { cluster: clusterTagged(OURS) };

  test("is known by the tags of its stage, and is no obstacle", async () => {
    const observed = await observe(own);

    expect(madeBefore(NEW, observed)?.name).toBe(NEW.name);
    expect(notOk(newFindings(NEW, observed))).toEqual([]);
  });

  test("is not stopped by what is only asked of a cluster that is to be made", async () => {
    expect(notOk(await findingsIn({ ...own, versions: seen(["1.40"]) }))).toEqual([]);
  });

  test("of another stage is somebody else's", async () => {
    const other = clusterTagged({ ...OURS, "sst:stage": "other" });

    expect(madeBefore(NEW, await observe({ cluster: other }))).toBeNull();
  });

  test("has a VPC that does not collide with itself", async () => {
    const vpcs = seen([{ id: "vpc-own", ranges: [NEW.vpcCidr], tags: OURS }]);

    expect(notOk(await findingsIn({ ...own, vpcs }))).toEqual([]);
  });
});

test("what was not seen is unknown, part by part", async () => {
  const parts = [
    "cluster",
    "zones",
    "services",
    "s3PrefixList",
    "versions",
    "vpcs",
    "zonesOffering",
  ] as const;
  for (const part of parts) {
    const findings = notOk(await findingsIn({ [part]: unseen("needs ec2:Look") }));

    expect(findings, part).not.toEqual([]);
    for (const { outcome, saw } of findings)
      expect([outcome, saw]).toEqual(["unknown", "needs ec2:Look"]);
  }
});
