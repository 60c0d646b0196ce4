import { Template } from "aws-cdk-lib/assertions";
import { App, getStack } from "sst/constructs";
import { initProject } from "sst/project";
import { beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { STATES } from "../functions/contract.ts";
import { CLUSTER_STATES, groupsOf } from "../kubernetes/groups.ts";
import config from "../sst.config.ts";
import { cluster } from "./cluster.ts";
import { detection } from "./detection.ts";
import { evidence } from "./evidence.ts";
import { statementsOf } from "./grants.ts";
import { playbook } from "./playbook.ts";

const Resource = z.object({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).default({}),
  DeletionPolicy: z.string().optional(),
});
type Resource = z.infer<typeof Resource>;

let templates: Template[];

beforeAll(async () => {
  await initProject({ stage: "local" });
  const app = new App({
    mode: "deploy",
    stage: "local",
    name: "eks-containment",
    region: "us-east-1",
  });
  await config.stacks(app);
  await app.finish();
  templates = [evidence, cluster, playbook, detection].map((stack) =>
    Template.fromStack(getStack(stack)),
  );
}, 60_000);

function resources(type: string): [string, Resource][] {
  return templates.flatMap((template) =>
    Object.entries(template.toJSON().Resources ?? {})
      .map(([id, resource]): [string, Resource] => [id, Resource.parse(resource)])
      .filter(([, resource]) => resource.Type === type),
  );
}

interface Statement {
  readonly of: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
}

/** Every IAM statement of the app, with resources as text. */
function statements(): Statement[] {
  const many = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);
  return resources("AWS::IAM::Policy").flatMap(([of, { Properties }]) => {
    const document = z
      .object({ Statement: z.array(z.object({ Action: z.unknown(), Resource: z.unknown() })) })
      .parse(Properties.PolicyDocument);
    return document.Statement.map(({ Action, Resource: on }) => ({
      of,
      actions: many(Action).map(String),
      resources: many(on).map((each) => (typeof each === "string" ? each : JSON.stringify(each))),
    }));
  });
}

describe("the functions", () => {
  test("are one for each state, on the pinned runtime, with logs that end some day", () => {
    // SST adds custom-resource functions of its own, which run at deployment only.
    const functions = resources("AWS::Lambda::Function").filter(([id]) =>
      STATES.some((state) => id.startsWith(state)),
    );

    expect(functions).toHaveLength(STATES.length);
    for (const [id, { Properties }] of functions) {
      expect(Properties, id).toMatchObject({
        Runtime: "nodejs24.x",
        Architectures: ["arm64"],
        LoggingConfig: expect.anything(),
      });
    }
    for (const [id, { Properties }] of resources("AWS::Logs::LogGroup")) {
      expect(Properties.RetentionInDays, id).toBeGreaterThan(0);
    }
  });

  test("may do no action by wildcard, and describe at most what has no resource of its own", () => {
    const describesOnly = /^(ec2:Describe|xray:)/;
    for (const { of, actions, resources: on } of statements()) {
      expect(
        actions.filter((action) => action.includes("*")),
        of,
      ).toEqual([]);
      if (on.includes("*")) {
        expect(
          actions.filter((action) => !describesOnly.test(action)),
          of,
        ).toEqual([]);
      }
    }
  });

  test("may do what their states declare, and otherwise trace", () => {
    const anywhere = { bucketArn: "", evidenceKeyArn: "", busArn: "", clusterArn: "" };
    const names = { partition: "", account: "", region: "", urlSuffix: "" };
    for (const state of STATES) {
      const allowed = statements()
        .filter(({ of }) => of.startsWith(state))
        .flatMap(({ actions }) => actions.filter((action) => !action.startsWith("xray:")));

      const declared = statementsOf(state, { ...anywhere, ...names });
      expect(new Set(allowed), state).toEqual(new Set(declared.flatMap(({ actions }) => actions)));
    }
  });

  test("may delete nothing but open-case markers", () => {
    const deleting = statements().filter(({ actions }) =>
      actions.some((a) => /s3:.*Delete|Bypass|PutObjectRetention|LegalHold/.test(a)),
    );

    expect(deleting.map(({ of }) => of)).toEqual([expect.stringContaining("RecordRun")]);
    for (const { resources: on } of deleting) {
      for (const resource of on) expect(resource).toContain("/open/*");
    }
  });

  test("enter the cluster as members of our groups only, each through an access entry of its own", () => {
    const entries = resources("AWS::EKS::AccessEntry");

    expect(entries).toHaveLength(CLUSTER_STATES.length);
    for (const [id, { Properties }] of entries) {
      expect(Properties.Type, id).toBe("STANDARD");
      expect(Properties.AccessPolicies, id).toBeUndefined();
      const state = CLUSTER_STATES.find((each) => id.startsWith(each));
      expect(Properties.KubernetesGroups, id).toEqual(state && groupsOf(state));
    }
  });
});

describe("evidence", () => {
  test("lies in a locked, versioned, private, encrypted bucket that outlives the stage", () => {
    const [[, bucket] = []] = resources("AWS::S3::Bucket");

    expect(bucket?.DeletionPolicy).toBe("Retain");
    expect(bucket?.Properties).toMatchObject({
      ObjectLockEnabled: true,
      ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: "GOVERNANCE", Days: 1 } } },
      VersioningConfiguration: { Status: "Enabled" },
      PublicAccessBlockConfiguration: { BlockPublicAcls: true, RestrictPublicBuckets: true },
      BucketEncryption: expect.anything(),
    });
  });
});

test("the bucket refuses every write that could overwrite", () => {
  const [[, policy] = []] = resources("AWS::S3::BucketPolicy").filter(([id]) =>
    id.startsWith("Evidence"),
  );

  expect(JSON.stringify(policy?.Properties.PolicyDocument)).toContain(
    '"Condition":{"Null":{"s3:if-none-match":"true"}},"Effect":"Deny"',
  );
});

describe("nothing is lost on the way", () => {
  test("the queue and every rule have a dead-letter queue", () => {
    const withoutRedrive = resources("AWS::SQS::Queue").filter(
      ([, { Properties }]) => Properties.RedrivePolicy === undefined,
    );
    expect(withoutRedrive.map(([id]) => id)).toEqual([expect.stringContaining("DeadLetters")]);

    for (const [id, { Properties }] of resources("AWS::Events::Rule")) {
      const rule = z.array(z.object({ DeadLetterConfig: z.unknown() })).parse(Properties.Targets);
      for (const target of rule) expect(target.DeadLetterConfig, id).toBeDefined();
    }
  });

  test("the pipe hands on the exact text of a message", () => {
    const [[, pipe] = []] = resources("AWS::Pipes::Pipe");

    expect(pipe?.Properties.TargetParameters).toEqual({
      EventBridgeEventBusParameters: { Source: "falco", DetailType: "Falco Alert" },
    });
  });

  test("the playbook is a standard workflow, so that it can be redriven", () => {
    const [[, machine] = []] = resources("AWS::StepFunctions::StateMachine");

    expect(machine?.Properties.StateMachineType).toBe("STANDARD");
  });
});
