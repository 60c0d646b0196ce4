import { beforeAll, describe, expect, test } from "vitest";
import { COPIER } from "../functions/contract.ts";
import { FORENSIC_STAGE_NAMES, forensicSettingsFor, settingsFor } from "../stages.ts";
import { type SynthesizedStage, synthesize } from "../test/synthesize.ts";
import { namesThere } from "./forensic-names.ts";
import { guardForensic } from "./preflight.ts";

/* Both ends of the way of a copy, which meet in nothing but names: a change of one must be one of both. */

const at = (made: SynthesizedStage, type: string, id: string) =>
  JSON.stringify(made.ofType(type).filter(([name]) => name.startsWith(id)));

describe.each(FORENSIC_STAGE_NAMES)("forensic stage %s", (stage) => {
  let made: SynthesizedStage;
  beforeAll(async () => {
    made = await synthesize(stage);
  });

  test("has no finding of cdk-nag that nobody accepted, and accepts none that is not there", () => {
    const said = made.resources.flatMap(
      ([, { Metadata }]) => Metadata.cdk_nag?.rules_to_suppress ?? [],
    );

    expect(made.objections).toEqual([]);
    expect(new Set(said.map(({ id }) => id))).toEqual(new Set(made.accepted.map(({ id }) => id)));
  });

  test("calls bus and role as the stages do that ask", () => {
    const names = { partition: "aws", appName: "eks-containment" };
    const place = { accountId: "123456789012", region: "eu-west-1", stage };
    const { busArn, copierArn } = namesThere(place, names);

    const [[, bus] = []] = made.ofType("AWS::Events::EventBus");
    expect(busArn).toBe(`arn:aws:events:eu-west-1:123456789012:event-bus/${bus?.Properties.Name}`);
    const roles = made.ofType("AWS::IAM::Role").map(([, { Properties }]) => Properties.RoleName);
    expect(roles).toContain(copierArn.split("/").at(-1));
  });

  test("takes from the named accounts what a stage shared, and nothing else", () => {
    const policy = at(made, "AWS::Events::EventBusPolicy", "");
    const [source = ""] = forensicSettingsFor(stage)?.sources ?? [];

    expect(policy).toContain(`:iam::${source}:root`);
    expect(policy).toContain('"events:detail-type":"Snapshot Shared"');
    expect(policy).not.toContain('"Principal":"*"');
    expect(at(made, "AWS::Events::Rule", "SnapshotShared")).toContain(`"account":["${source}"]`);
  });

  test("copies one snapshot at a time, deletes and unlocks none, and outlives itself", () => {
    const [[, fn] = []] = made
      .ofType("AWS::Lambda::Function")
      .filter(([id]) => id.startsWith(COPIER));
    const [[, key] = []] = made
      .ofType("AWS::KMS::Key")
      .filter(([id]) => id.startsWith("CopiesKey"));

    expect(fn?.Properties.ReservedConcurrentExecutions).toBe(1);
    expect(JSON.stringify(made.ofType("AWS::IAM::Policy"))).not.toMatch(
      /DeleteSnapshot|UnlockSnapshot|ModifySnapshotAttribute/,
    );
    expect(key).toMatchObject({
      DeletionPolicy: "Retain",
      Properties: { EnableKeyRotation: true },
    });
  });

  test("is deployed into its own account only", () => {
    const settings = { ...forensicSettingsFor("forensic"), accountId: "111122223333" };
    const place = { ...settings, sources: ["444455556666"] } as Parameters<typeof guardForensic>[1];

    expect(() => guardForensic(stage, place, "444455556666")).toThrow("account 111122223333");
    expect(() => guardForensic(stage, place, "111122223333")).not.toThrow();
  });
});

describe("the stage that asks", () => {
  const copy = settingsFor("local").preservation.forensicCopy;
  let made: SynthesizedStage;
  beforeAll(async () => {
    made = await synthesize("local");
  });

  test("may share what carries our tag, with that account and nobody else", () => {
    const rights = at(made, "AWS::IAM::Policy", "ShareSnapshot");

    expect(rights).toContain(
      `"StringEquals":{"aws:ResourceTag/Reason":"Automated_Containment","ec2:Add/userId":"${copy?.accountId}"},"Null":{"ec2:Add/group":"true"}`,
    );
    expect(rights.match(/ModifySnapshotAttribute/g)).toHaveLength(1);
  });

  test("sends to the bus of that account and region, and loses nothing that does not arrive", () => {
    const busArn =
      copy && namesThere(copy, { partition: "aws", appName: "eks-containment" }).busArn;
    const rule = at(made, "AWS::Events::Rule", "SnapshotShared");

    expect(rule).toContain(busArn?.split(":").slice(3).join(":"));
    expect(rule).toContain("DeadLetterConfig");
  });

  test("lets the copier there, through EC2 alone, use the key of its own disks", () => {
    const key = at(made, "AWS::KMS::Key", "Key");

    expect(key).toContain(`:role/${copy?.stage}-eks-containment-${COPIER}`);
    expect(key).toContain('"StringLike":{"kms:ViaService":"ec2.*"}');
    expect(key).toContain('"kms:GrantIsForAWSResource":"true"');
  });
});
