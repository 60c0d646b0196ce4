import { describe, expect, test } from "vitest";
import {
  assertDeployable,
  FORENSIC_STAGE_NAMES,
  forensicSettingsFor,
  parseStage,
  STAGE_NAMES,
  settingsFor,
} from "./stages.ts";

const CREATE = {
  name: "demo",
  availabilityZones: ["eu-west-1a", "eu-west-1b"],
  s3PrefixListId: "pl-6da54004",
  administrators: ["arn:aws:iam::123456789012:role/Admin"],
};
const EXISTING = {
  name: "prod",
  vpcId: "vpc-0a1b2c3d",
  subnetIds: ["subnet-0a1b2c3d", "subnet-1a1b2c3d"],
  securityGroupId: "sg-0a1b2c3d",
  s3EndpointId: "vpce-0a1b2c3d",
};
const region = "eu-west-1";

test("every stage that is written down is valid", () => {
  for (const stage of STAGE_NAMES) expect(settingsFor(stage).cluster.name).toBeTruthy();
});

test("a forensic stage is of one kind only, and is not deployed while it holds the example", () => {
  for (const stage of FORENSIC_STAGE_NAMES) {
    const settings = forensicSettingsFor(stage);
    if (!settings) throw new Error(`${stage} has no settings`);
    expect(STAGE_NAMES).not.toContain(stage);
    expect(() => settingsFor(stage)).toThrow("only takes copies");
    expect(() => assertDeployable(stage, settings)).toThrow("accountId is still 000000000000");
  }
  for (const stage of STAGE_NAMES) expect(forensicSettingsFor(stage)).toBeNull();
});

test("a copy goes to an account and region, to the stage there that is called forensic", () => {
  const preservation = { forensicCopy: { accountId: "111122223333", region: "eu-central-1" } };
  const stage = { region, cluster: { existing: EXISTING }, preservation };

  expect(parseStage("try", stage).preservation.forensicCopy).toEqual({
    ...preservation.forensicCopy,
    stage: "forensic",
  });
  expect(() =>
    parseStage("try", {
      ...stage,
      preservation: { forensicCopy: { accountId: "1", region: "Frankfurt" } },
    }),
  ).toThrow(/is no AWS account id[\s\S]*is no AWS region/);
});

test("a new stage only audits until somebody decides that it may act", () => {
  for (const stage of ["new", "existing"]) expect(settingsFor(stage).response.mode).toBe("audit");
});

test("an unknown stage is refused with the names of those there are", () => {
  expect(() => settingsFor("prd")).toThrow('no stage "prd"; it has local, new, existing');
});

describe("a wrong setting is refused, naming its field", () => {
  test.each([
    ["cluster", {}, "either `create` or `existing`"],
    ["cluster", { create: CREATE, existing: EXISTING }, "either `create` or `existing`"],
    ["cluster.existing.vpcId", { existing: { ...EXISTING, vpcId: "vpc" } }, "is no vpc-… id"],
    ["cluster.existing.subnetIds", { existing: { ...EXISTING, subnetIds: [] } }, "Too small"],
    ["cluster.existing", { existing: { ...EXISTING, vpc: "vpc-1" } }, 'Unrecognized key: "vpc"'],
    [
      "cluster.create.serviceCidr",
      { create: { ...CREATE, serviceCidr: "10.40.128.0/20" } },
      "10.40.128.0/20 overlaps vpcCidr 10.40.0.0/16",
    ],
    ["cluster.create.vpcCidr", { create: { ...CREATE, vpcCidr: "10.0.0.0/8" } }, "/16 and /20"],
    [
      "cluster.create.nodes.maximum",
      { create: { ...CREATE, nodes: { minimum: 3, maximum: 2 } } },
      "is less than minimum",
    ],
    [
      'cluster.create.images["uptime-kuma"]',
      { create: { ...CREATE, images: { "uptime-kuma": "docker.io/louislam/uptime-kuma:1" } } },
      "@sha256:",
    ],
    ["cluster.create.administrators", { create: { ...CREATE, administrators: [] } }, "Too small"],
  ])("%s", (field, cluster, why) => {
    const refusal = () => parseStage("try", { region, cluster });

    expect(refusal).toThrow(why);
    expect(refusal).toThrow(`→ at ${field}`);
  });
});

test("nodes are kept unless somebody says otherwise, and a run waits for no large snapshot", () => {
  const stage = { region, cluster: { existing: EXISTING } };
  const preservation = { followSnapshotsSeconds: 3_600 };

  expect(parseStage("try", stage).preservation).toEqual({
    ...{ cordon: true, protect: true, followSnapshotsSeconds: 60, forensicCopy: null },
  });
  expect(() => parseStage("try", { ...stage, preservation })).toThrow(
    "→ at preservation.followSnapshotsSeconds",
  );
});

test.each(["Prod", "a".repeat(25), "1st"])("a stage cannot be called %s", (name) => {
  expect(() => parseStage(name, { region, cluster: { existing: EXISTING } })).toThrow(
    `stage "${name}": a name is`,
  );
});

describe("a stage with ids of the examples is not deployed", () => {
  test.each(["new", "existing"])("%s", (stage) => {
    expect(() => assertDeployable(stage, settingsFor(stage))).toThrow(
      /cluster\.(create|existing)\.\w+ is still /,
    );
  });

  test("but the local one is, and one with ids of its own", () => {
    const own = parseStage("own", { region, cluster: { existing: EXISTING } });

    expect(() => assertDeployable("local", settingsFor("local"))).not.toThrow();
    expect(() => assertDeployable("own", own)).not.toThrow();
  });
});
