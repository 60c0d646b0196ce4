import { describe, expect, test } from "vitest";
import { MANUAL_SOURCE } from "../core/alert/manual.ts";
import { STATES } from "../functions/contract.ts";
import { grantsOf, type Resources, statementsOf } from "./grants.ts";

const RESOURCES: Resources = {
  bucketArn: "arn:aws:s3:::evidence",
  evidenceKeyArn: "arn:aws:kms:eu-central-1:111122223333:key/1",
  busArn: "arn:aws:events:eu-central-1:111122223333:event-bus/bus",
  clusterArn: "arn:aws:eks:eu-central-1:111122223333:cluster/prod",
  partition: "aws",
  account: "111122223333",
  region: "eu-central-1",
  urlSuffix: "amazonaws.com",
};

const all = STATES.flatMap((state) =>
  statementsOf(state, RESOURCES).map((statement) => ({ state, ...statement })),
);
const withAction = (pattern: RegExp) =>
  all.filter(({ actions }) => actions.some((action) => pattern.test(action)));

describe("what the functions may do on AWS", () => {
  test("is named action by action, and is on everything only where no resource is known", () => {
    for (const { state, actions, resources } of all) {
      expect(actions.join(), state).not.toContain("*");
      if (resources.includes("*")) {
        expect(actions.join(), state).toMatch(/^(ec2|autoscaling):Describe/);
        continue;
      }
      for (const resource of resources) expect(resource, state).toMatch(/^arn:aws:/);
    }
  });

  test("takes the evidence's key through S3 only", () => {
    const throughS3 = { StringEquals: { "kms:ViaService": "s3.eu-central-1.amazonaws.com" } };
    const onKey = withAction(/^kms:/);

    for (const { state, resources, conditions } of onKey) {
      expect({ resources, conditions }, state).toEqual({
        resources: [RESOURCES.evidenceKeyArn],
        conditions: throughS3,
      });
    }
    const states = (pattern: RegExp) => new Set(withAction(pattern).map(({ state }) => state));
    expect(states(/GenerateDataKey/)).toEqual(states(/^s3:PutObject/));
    expect(states(/Decrypt/)).toEqual(states(/^s3:GetObject/));
  });

  test("deletes nothing but open-case markers, and shortens no lock", () => {
    const resources = ["arn:aws:s3:::evidence/open/*"];
    expect(withAction(/Delete/).map(({ state, resources }) => ({ state, resources }))).toEqual([
      ...[
        { state: "OpenCase", resources },
        { state: "ApplyPolicy", resources },
      ],
      { state: "RecordRun", resources },
    ]);
    expect(withAction(/Bypass|Put\w*Retention|LegalHold|Acl|Policy|Versioning/)).toEqual([]);
  });

  test("lists the bucket only where what is not there must be told from what is forbidden", () => {
    expect(withAction(/^s3:ListBucket$/).map(({ state }) => state)).toEqual([
      "OpenCase",
      "ApplyPolicy",
      "CompletePolicy",
      "PreserveNode",
      "CaptureContext",
      "PreviewCredentials",
      "SnapshotAfter",
      "RecordRun",
      "ListOpenCases",
      "ReverifyCase",
      "ReapplyPolicy",
      "DrainNode",
      "RecordDrain",
      "RecordFailure",
    ]);
  });

  test("locks only the snapshots of containments, and unlocks none", () => {
    expect(withAction(/LockSnapshot$/)).toEqual([
      expect.objectContaining({
        state: "SnapshotNodeEbs",
        actions: ["ec2:LockSnapshot"],
        conditions: { StringEquals: { "aws:ResourceTag/Reason": "Automated_Containment" } },
      }),
    ]);
  });

  test("turns termination protection on, never off, and no other attribute of an instance", () => {
    const [modify, ...more] = withAction(/ModifyInstanceAttribute/);

    expect(more).toEqual([]);
    expect(modify).toMatchObject({
      state: "PreserveNode",
      resources: ["arn:aws:ec2:eu-central-1:111122223333:instance/*"],
      conditions: { StringEqualsIgnoreCase: { "ec2:Attribute/DisableApiTermination": "true" } },
    });
  });

  test("tags only what it is just creating", () => {
    const created = withAction(/CreateTags/).map(({ conditions }) => conditions);

    expect(created).toEqual([
      { StringEquals: { "ec2:CreateAction": "CreateSnapshots" } },
      { StringEquals: { "ec2:CreateAction": "CreateSnapshot" } },
    ]);
  });

  test("announces a result, asks for forensic copies, and cannot ask for another containment", () => {
    const put = withAction(/PutEvents/);

    expect(put.map(({ state }) => state)).toEqual(["SnapshotNodeEbs", "RecordRun"]);
    expect(put.map(({ conditions }) => conditions?.StringEquals)).toEqual(
      ["Forensic Copy Requested", "Containment Completed"].map((detailType) => ({
        "events:source": expect.not.stringMatching(MANUAL_SOURCE),
        "events:detail-type": detailType,
      })),
    );
  });

  test("is what the roles are given", () => {
    const [first] = grantsOf("Authenticate", RESOURCES);

    expect(first?.toStatementJson()).toEqual({
      Effect: "Allow",
      Action: "s3:PutObject",
      Resource: [
        "arn:aws:s3:::evidence/runs/*/authentication.json",
        "arn:aws:s3:::evidence/runs/*/conflict-*.json",
      ],
    });
    for (const state of STATES) {
      expect(grantsOf(state, RESOURCES)).toHaveLength(statementsOf(state, RESOURCES).length);
    }
  });
});
