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

describe("the brakes of a stage", () => {
  const withResponse = (response: object) =>
    parseStage("try", { region, cluster: { existing: EXISTING }, response }).response;

  test("are there unless somebody says otherwise", () => {
    expect(withResponse({})).toMatchObject({
      protectedNamespaces: ["kube-system", "kube-public", "kube-node-lease", "falco"],
      protectedLabels: { labels: { "eks-containment/protected": "true" }, on: ["namespace"] },
      circuitBreaker: { targets: 20, minutes: 10 },
      maintenanceWindows: [],
    });
  });

  test("hold a window of every week, in UTC unless it names a zone, and one that comes once", () => {
    const once = { from: "2026-12-01T22:00:00Z", to: "2026-12-02T02:00:00+01:00" };
    const weekly = { days: ["Sat"], from: "22:00", to: "02:00" };
    const inBerlin = { ...weekly, zone: "Europe/Berlin" };

    expect(withResponse({ maintenanceWindows: [weekly, inBerlin, once] })).toMatchObject({
      maintenanceWindows: [{ ...weekly, zone: "UTC" }, inBerlin, once],
    });
  });

  test.each([
    [
      { days: ["Sat"], from: "10 pm", to: "02:00" },
      "10 pm is no time of the day like 22:00",
      "from",
    ],
    [{ days: ["Sat"], from: "22:00", to: "24:00" }, "24:00 is no time of the day", "to"],
    [{ days: ["Sat"], from: "22:00", to: "22:00" }, "is when it begins", "to"],
    [{ days: ["Samstag"], from: "22:00", to: "23:00" }, "Invalid option", "days[0]"],
    [{ days: [], from: "22:00", to: "23:00" }, "Too small", "days"],
    [{ from: "22:00", to: "23:00" }, "22:00 is no time like 2026-12-01T22:00:00Z", "from"],
    [{ from: "2026-12-01T22:00:00Z", to: "2026-12-01T21:00:00Z" }, "is not after from", "to"],
    [
      { days: ["Sat"], from: "22:00", to: "23:00", zone: "Berlin" },
      "is no time zone like Europe/Berlin",
      "zone",
    ],
  ])("refuse %o, and say where and why", (window, why, field) => {
    const refused = () => withResponse({ maintenanceWindows: [window] });

    expect(refused).toThrow(why);
    expect(refused).toThrow(`→ at response.maintenanceWindows[0].${field}`);
  });

  test.each([
    [{ circuitBreaker: { targets: 0 } }, "response.circuitBreaker.targets"],
    [{ circuitBreaker: { minutes: 0.5 } }, "response.circuitBreaker.minutes"],
    [{ protectedLabels: { labels: { "not a key": "x" } } }, "response.protectedLabels.labels"],
    [{ protectedLabels: { on: ["workload"] } }, "response.protectedLabels.on[0]"],
  ])("refuse %o", (response, field) => {
    expect(() => withResponse(response)).toThrow(`→ at ${field}`);
  });
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
