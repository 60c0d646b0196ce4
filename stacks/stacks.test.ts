import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { diagramOf } from "../docs/diagram.ts";
import { STATES } from "../functions/contract.ts";
import { CLUSTER_STATES, groupsOf } from "../kubernetes/groups.ts";
import { STAGE_NAMES, settingsFor } from "../stages.ts";
import { type Resource, type SynthesizedStage, synthesize } from "../test/synthesize.ts";
import { workflowNamed, workflows } from "../workflows/definition.ts";
import { isIdle, statementsOf } from "./grants.ts";

/*
 * What holds for every stage, whatever is added to the stacks. The example stages are `new`, a
 * cluster of its own; `existing`, an adopted one; and `local`.
 */

interface Statement {
  readonly of: string;
  readonly effect: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions: string;
}

const many = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);
const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));

const Document = z.object({
  Statement: z.array(
    z.object({
      Effect: z.string(),
      Action: z.unknown(),
      Resource: z.unknown(),
      Condition: z.unknown().optional(),
    }),
  ),
});

const OfAlarm = z.object({
  Metrics: z.array(z.object({ MetricStat: z.looseObject({}).optional() })).optional(),
});

describe.each(STAGE_NAMES)("stage %s", (stage) => {
  const { cluster, preservation } = settingsFor(stage);
  /** Those of every stage, and what shares snapshots where the settings say so. */
  const expected = [
    ...workflows(),
    ...(preservation.forensicCopy ? [workflowNamed("forensic/share-snapshot")] : []),
  ];
  const nameOf = (path: string) => `${stage}-eks-containment-${path.split("/").at(-1)}`;
  let made: SynthesizedStage;
  beforeAll(async () => {
    made = await synthesize(stage);
  });

  /** Every statement of the policies of roles. */
  const statements = (): Statement[] =>
    made.ofType("AWS::IAM::Policy").flatMap(([of, { Properties }]) =>
      Document.parse(Properties.PolicyDocument).Statement.map((each) => ({
        of,
        effect: each.Effect,
        actions: many(each.Action).map(String),
        resources: many(each.Resource).map(text),
        conditions: text(each.Condition ?? {}),
      })),
    );
  const allowed = () => statements().filter(({ effect }) => effect === "Allow");
  const functionsOfOurs = () =>
    made
      .ofType("AWS::Lambda::Function")
      .filter(([id]) => STATES.some((state) => id.startsWith(state)));

  describe("findings of cdk-nag (AwsSolutions, NIST 800-53 R5)", () => {
    test("are none that nobody accepted", () => {
      expect(made.objections).toEqual([]);
    });

    test("that are accepted are still found: no reason outlives its finding", () => {
      const said = made.resources.flatMap(
        ([, { Metadata }]) => Metadata.cdk_nag?.rules_to_suppress ?? [],
      );
      const found = made.accepted.map(({ id, reason }) => `${id}: ${reason}`);

      expect(found.length).toBeGreaterThan(0); // the rules do run
      expect([...new Set(said.map(({ id, reason }) => `${id}: ${reason}`))].toSorted()).toEqual(
        [...new Set(found)].toSorted(),
      );
    });
  });

  describe("the bus", () => {
    const policies = () =>
      made.ofType("AWS::Events::EventBusPolicy").map(([, { Properties }]) => Properties);

    test("lets nobody in: every statement of its policy denies, to everybody", () => {
      expect(policies().map(({ StatementId }) => StatementId)).toEqual([
        ...["AlertsComeFromThePipe", "RequestsComeFromRequesters"],
        ...["AnnouncementsComeFromTheProduct", "NothingElseComes"],
      ]);
      for (const { Statement, StatementId } of policies()) {
        expect(Statement).toMatchObject({
          ...{ Sid: StatementId, Effect: "Deny", Principal: "*", Action: "events:PutEvents" },
        });
      }
    });

    test("takes requests by hand from the people of the settings only", () => {
      const { Statement } =
        policies().find((each) => each.StatementId === "RequestsComeFromRequesters") ?? {};
      const { requesters } = settingsFor(stage);

      expect((Statement as { Condition: object }).Condition).toEqual({
        "ForAnyValue:StringEquals": { "events:source": "demo.containment" },
        ...(requesters.length > 0 && { ArnNotEquals: { "aws:PrincipalArn": requesters } }),
      });
    });

    test("takes alerts from the pipe's role and announcements from a function's", () => {
      const sender = (id: string) => {
        const { Statement } = policies().find(({ StatementId }) => StatementId === id) ?? {};
        const { Condition } = Statement as {
          Condition: { ArnNotEquals: { "aws:PrincipalArn": unknown[] } };
        };
        return Condition.ArnNotEquals["aws:PrincipalArn"].map(text);
      };

      expect(sender("AlertsComeFromThePipe")).toEqual([expect.stringContaining("PipeRole")]);
      expect(sender("AnnouncementsComeFromTheProduct")).toEqual(
        [
          ...["SnapshotNodeEbs", "RecordRun"],
          ...(preservation.forensicCopy ? ["ShareSnapshot"] : []),
        ].map((name) => expect.stringContaining(name)),
      );
    });
  });

  describe("the queues", () => {
    test("take messages from those who are named, whomever else IAM lets send everywhere", () => {
      const denied = made.ofType("AWS::SQS::QueuePolicy").flatMap(([id, { Properties }]) =>
        z
          .object({
            Statement: z.array(
              z.looseObject({ Sid: z.string().optional(), Condition: z.unknown().optional() }),
            ),
          })
          .parse(Properties.PolicyDocument)
          .Statement.filter(({ Sid }) => Sid === "OnlyTheseSend")
          .map((statement) => ({ id: id.replace(/Policy.*/, ""), ...statement })),
      );
      const { alertSenders, requesters } = settingsFor(stage);
      const people = [...alertSenders, ...requesters];
      const own = cluster.kind === "create" ? [expect.stringContaining("FalcosidekickRole")] : [];
      const senders = (id: string) => {
        const { Condition, ...rest } = denied.find((each) => each.id === id) ?? {
          Condition: null,
        };
        const named = z
          .object({ ArnNotEquals: z.object({ "aws:PrincipalArn": z.unknown() }).optional() })
          .parse(Condition ?? {}).ArnNotEquals;
        expect(rest).toMatchObject({
          ...{ Effect: "Deny", Action: "sqs:SendMessage", Principal: { AWS: "*" } },
        });
        return named ? many(named["aws:PrincipalArn"]).map(text) : [];
      };

      expect(senders("DeadLetters")).toEqual([expect.stringContaining("ContainStateMachineRole")]);
      expect(senders("Alerts")).toEqual([...own, ...people]);
    });
  });

  describe("nothing is public", () => {
    test("there is no way to the internet and none from it", () => {
      for (const type of [
        ...["AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::EIP"],
        ...["AWS::EC2::EgressOnlyInternetGateway", "AWS::Lambda::Url", "AWS::EC2::Route"],
      ]) {
        expect(made.ofType(type), type).toEqual([]);
      }
    });

    test("no security group names an address range, inwards or outwards", () => {
      const rules = made.resources.filter(([, { Type }]) =>
        Type.startsWith("AWS::EC2::SecurityGroup"),
      );
      // A group without a rule gets one that can match nothing: 255.255.255.255/32, ICMP.
      const ranges = rules.flatMap(([id, { Properties }]) =>
        [...JSON.stringify(Properties).matchAll(/"CidrIpv?6?":"([^"]+)"/g)]
          .filter(([, range]) => range !== "255.255.255.255/32")
          .map(([, range]) => `${id} ${range}`),
      );

      expect(ranges).toEqual([]);
    });

    test("every bucket blocks public access, wants TLS, is versioned and encrypted", () => {
      const buckets = made.ofType("AWS::S3::Bucket");
      const policies = JSON.stringify(made.ofType("AWS::S3::BucketPolicy"));

      expect(buckets.length).toBeGreaterThan(1);
      for (const [id, { Properties }] of buckets) {
        expect(Properties, id).toMatchObject({
          PublicAccessBlockConfiguration: {
            ...{ BlockPublicAcls: true, BlockPublicPolicy: true },
            ...{ IgnorePublicAcls: true, RestrictPublicBuckets: true },
          },
          BucketEncryption: expect.anything(),
          VersioningConfiguration: { Status: "Enabled" },
          LifecycleConfiguration: expect.anything(),
        });
        expect(policies, id).toContain(`"Bucket":{"Ref":"${id}"}`);
      }
      expect(policies.match(/"aws:SecureTransport":"false"/g)).toHaveLength(buckets.length);
    });
  });

  describe("the functions", () => {
    test("are one for each state, private, on the pinned runtime, bounded in time and number", () => {
      const functions = functionsOfOurs();

      expect(functions).toHaveLength(STATES.length);
      for (const [id, { Properties }] of functions) {
        expect(Properties, id).toMatchObject({
          Runtime: "nodejs24.x",
          Architectures: ["arm64"],
          Timeout: expect.any(Number),
          ReservedConcurrentExecutions: expect.any(Number),
          LoggingConfig: expect.anything(),
          TracingConfig: { Mode: "Active" },
          VpcConfig: { SecurityGroupIds: [expect.anything()], SubnetIds: expect.any(Array) },
        });
      }
    });

    test("reserve as much of the account's concurrency as docs/deploy.md says", () => {
      if (stage === "local") return; // it has little of a laptop
      const units = functionsOfOurs().map(([, { Properties }]) =>
        Number(Properties?.ReservedConcurrentExecutions),
      );
      const reserved = units.reduce((sum, each) => sum + each, 0);

      const page = readFileSync("docs/deploy.md", "utf8");
      expect(page).toContain(`reserve ${reserved} (`);
      expect(page).toContain(`At least ${reserved + 100} free units`);
    });

    test("are all that runs, but for the one that empties the default security group at deployment", () => {
      const others = made
        .ofType("AWS::Lambda::Function")
        .filter((each) => !functionsOfOurs().includes(each));
      const custom = made.resources.filter(([, { Type }]) => Type.startsWith("Custom::"));
      const expected = cluster.kind === "create" ? [/^CustomVpcRestrictDefaultSG/] : [];

      expect(others.map(([id]) => id)).toEqual(expected.map((id) => expect.stringMatching(id)));
      expect(custom.map(([, { Type }]) => Type)).toEqual(
        expected.map(() => "Custom::VpcRestrictDefaultSG"),
      );
    });

    test("may do no action by wildcard, and everywhere only what has no resource of its own", () => {
      const withoutResource =
        /^(ec2:Describe|autoscaling:DescribeAutoScalingInstances$|xray:|ssm:UpdateInstanceInformation$|ssmmessages:|ec2messages:|ec2:(Create|Delete)NetworkInterface$|ec2:(Una|A)ssignPrivateIpAddresses$|logs:\w*(LogDeliver|ResourcePolic|DescribeLogGroups)|cloudtrail:LookupEvents$|guardduty:ListDetectors$|logs:GetQueryResults$)/;
      for (const { of, actions, resources } of allowed()) {
        expect(
          actions.filter((action) => action.includes("*")),
          of,
        ).toEqual([]);
        if (!resources.includes("*")) continue;
        expect(
          actions.filter((action) => !withoutResource.test(action)),
          of,
        ).toEqual([]);
      }
    });

    test("are kept from using in their code what Lambda needs to put them into the VPC", () => {
      const denied = statements().filter(({ effect }) => effect === "Deny");

      expect(denied.map(({ of }) => of.replace(/Role.*/, "")).toSorted()).toEqual(
        [...STATES].toSorted(),
      );
      for (const { actions, conditions } of denied) {
        expect(actions).toContain("ec2:CreateNetworkInterface");
        expect(conditions).toContain("lambda:SourceFunctionArn");
      }
    });

    test("may do what their states declare, and otherwise run, log and trace", () => {
      const anywhere = { bucketArn: "", evidenceKeyArn: "", busArn: "", clusterArn: "" };
      const names = { partition: "", account: "", region: "", urlSuffix: "" };
      const running =
        /^(xray:|logs:(CreateLogStream|PutLogEvents)$|ec2:\w+(NetworkInterface|PrivateIpAddresse|Subnet)s?$)/;
      for (const state of STATES) {
        const granted = allowed()
          .filter(({ of }) => of.startsWith(`${state}Role`))
          .flatMap(({ actions }) => actions.filter((action) => !running.test(action)));

        const declared = statementsOf(state, { ...anywhere, ...names });
        expect(new Set(granted), state).toEqual(
          new Set(declared.flatMap(({ actions }) => actions)),
        );
      }
    });

    test("may not start a drain, nor may anything else of the stage: a person does", () => {
      const starting = (machine: string) =>
        allowed().filter(
          ({ actions, resources }) =>
            actions.includes("states:StartExecution") && text(resources).includes(machine),
        );

      expect(starting("ContainStateMachine")).not.toEqual([]);
      expect(starting("DrainStateMachine")).toEqual([]);
      expect(starting('"*"')).toEqual([]);
    });

    test("may delete nothing but open-case markers", () => {
      const deleting = allowed().filter(({ actions }) =>
        actions.some((a) => /s3:.*Delete|Bypass|PutObjectRetention|LegalHold/.test(a)),
      );

      expect(deleting.map(({ of }) => of).toSorted()).toEqual(
        ["ApplyPolicy", "OpenCase", "RecordRun"].map((state) => expect.stringContaining(state)),
      );
      for (const { resources: on } of deleting) {
        for (const resource of on) expect(resource).toContain("/open/*");
      }
    });

    test("enter the cluster as members of our groups only, each through an entry of its own", () => {
      const entries = made
        .ofType("AWS::EKS::AccessEntry")
        .filter(([id]) => !/^(Person|Bastion)/.test(id));

      const working = CLUSTER_STATES.filter((state) => !isIdle(state, settingsFor(stage)));
      expect(entries).toHaveLength(working.length);
      for (const [id, { Properties }] of entries) {
        expect(Properties.Type, id).toBe("STANDARD");
        expect(Properties.AccessPolicies, id).toBeUndefined();
        const state = CLUSTER_STATES.find((each) => id.startsWith(each));
        expect(Properties.KubernetesGroups, id).toEqual(state && groupsOf(state));
      }
    });
  });

  describe("evidence", () => {
    const evidence = (): Resource | undefined =>
      made.ofType("AWS::S3::Bucket").find(([id]) => id.startsWith("Evidence"))?.[1];
    const policy = () =>
      JSON.stringify(
        made
          .ofType("AWS::S3::BucketPolicy")
          .filter(([id]) => id.startsWith("Evidence"))
          .map(([, { Properties }]) => Properties.PolicyDocument),
      );

    test("lies in a locked bucket with a key of its own, both of which outlive the stage", () => {
      const { retentionDays, lock } = settingsFor(stage).evidence;
      const [[, key] = []] = made
        .ofType("AWS::KMS::Key")
        .filter(([id]) => id.startsWith("EvidenceKey"));

      expect(evidence()?.DeletionPolicy).toBe("Retain");
      expect(key?.DeletionPolicy).toBe("Retain");
      expect(key?.Properties.EnableKeyRotation).toBe(true);
      expect(evidence()?.Properties).toMatchObject({
        ObjectLockEnabled: true,
        ObjectLockConfiguration: {
          Rule: { DefaultRetention: { Mode: lock.toUpperCase(), Days: retentionDays } },
        },
      });
    });

    test("is neither overwritten, nor written by others, nor reached from elsewhere", () => {
      expect(policy()).toContain(
        '"Condition":{"Null":{"s3:if-none-match":"true"}},"Effect":"Deny"',
      );
      expect(policy()).toContain(`role/${stage}-eks-containment-*`);
      expect(policy()).toContain('"StringNotEquals":{"aws:SourceVpce"');
    });
  });

  describe("everything has an end", () => {
    test("every log group is encrypted and kept for as long as the settings say", () => {
      const groups = made.ofType("AWS::Logs::LogGroup");

      expect(groups.length).toBeGreaterThan(STATES.length);
      for (const [id, { Properties }] of groups) {
        expect(Properties, id).toMatchObject({
          RetentionInDays: settingsFor(stage).operations.logRetentionDays,
          KmsKeyId: expect.anything(),
        });
      }
    });
  });

  describe("nothing is lost on the way", () => {
    test("every queue has a dead-letter queue, and so has every rule that starts a run", () => {
      const withoutRedrive = made
        .ofType("AWS::SQS::Queue")
        .filter(([, { Properties }]) => Properties.RedrivePolicy === undefined);
      expect(withoutRedrive.map(([id]) => id)).toEqual([expect.stringContaining("DeadLetters")]);

      const Targets = z.array(
        z.object({ RoleArn: z.unknown().optional(), DeadLetterConfig: z.unknown().optional() }),
      );
      for (const [id, { Properties }] of made.ofType("AWS::Events::Rule")) {
        for (const target of Targets.parse(Properties.Targets)) {
          if (target.RoleArn) expect(target.DeadLetterConfig, id).toBeDefined();
        }
      }
    });

    test("the pipe hands on the exact text of a message", () => {
      const [[, pipe] = []] = made.ofType("AWS::Pipes::Pipe");

      expect(pipe?.Properties.TargetParameters).toEqual({
        EventBridgeEventBusParameters: { Source: "falco", DetailType: "Falco Alert" },
      });
    });

    test("every workflow is deployed, as a standard one, so that it can be redriven", () => {
      const machines = made.ofType("AWS::StepFunctions::StateMachine");

      const names = machines.map(([, { Properties }]) => String(Properties.StateMachineName));
      expect(names.toSorted()).toEqual(expected.map(({ name }) => nameOf(name)).toSorted());
      for (const [id, { Properties }] of machines) {
        expect(Properties, id).toMatchObject({
          StateMachineType: "STANDARD",
          TracingConfiguration: { Enabled: true },
          LoggingConfiguration: { Level: "ALL", IncludeExecutionData: false },
        });
      }
    });

    test("open cases are looked at again as often as the stage says, by a workflow of their own", () => {
      const scheduled = made
        .ofType("AWS::Events::Rule")
        .flatMap(([, { Properties }]) => Properties.ScheduleExpression ?? []);

      expect(scheduled).toEqual(stage === "local" ? [] : ["rate(5 minutes)"]);
    });

    test("what only reports has no right to write: the function that puts back is in no group", () => {
      const entries = made.ofType("AWS::EKS::AccessEntry").map(([id]) => id);
      const puttingBack = entries.filter((id) => id.startsWith("ReapplyPolicy"));

      expect(puttingBack).toHaveLength(stage === "local" ? 1 : 0);
    });

    test("every workflow is given what its definition names, and no function besides", () => {
      for (const [id, { Properties }] of made.ofType("AWS::StepFunctions::StateMachine")) {
        const given = Object.keys(z.looseObject({}).parse(Properties.DefinitionSubstitutions));
        const { text = "" } =
          expected.find(({ name }) => nameOf(name) === Properties.StateMachineName) ?? {};
        const named = [...text.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name);

        expect(given.toSorted(), id).toEqual([...new Set(named)].toSorted());
      }
    });

    test("a failed run, late containment, dead letters and every function have an alarm that tells", () => {
      const alarms = made.ofType("AWS::CloudWatch::Alarm");
      const ids = alarms.map(([id]) => id).join(" ");

      for (const state of STATES) expect(ids).toContain(`${state}Fails`);
      for (const { name } of workflows()) {
        expect(ids.toLowerCase()).toContain(
          `${name.replaceAll("-", "")}statemachineexecutionfailed`,
        );
      }
      expect(ids).toContain("TimeToContainOverObjective");
      for (const id of [
        ...["DeadLetters", "ContainmentDrift", "CasesNotVerified", "CircuitBreakerHolds"],
      ]) {
        expect(ids).toContain(id);
      }
      const metrics = alarms.flatMap(([, { Properties }]) => {
        // That of an expression lists its metrics, with the expression among them.
        const { Metrics } = OfAlarm.parse(Properties);
        return Metrics?.filter(({ MetricStat }) => MetricStat !== undefined) ?? [Properties];
      });
      expect(readFileSync("docs/cost.md", "utf8")).toContain(
        `alarms, ${metrics.length} metrics in ${alarms.length} alarms`,
      );
      for (const [id, { Properties }] of alarms) {
        expect(Properties.AlarmActions, id).toHaveLength(1);
        expect(Properties.TreatMissingData, id).toBe("notBreaching");
      }
    });
  });

  test.runIf(stage === "new")("are drawn in docs/architecture.md (npm run diagram)", async () => {
    const page = `# Architecture

What a stage with a cluster of its own deploys, drawn from its templates: an arrow leads from what
uses something to what it uses. \`npm run diagram\` makes this page, and a test holds it to the stacks.

\`\`\`mermaid
${diagramOf(made.templates)}
\`\`\`
`;
    await expect(page).toMatchFileSnapshot("../docs/architecture.md");
  });

  test.runIf(cluster.kind === "existing")(
    "nothing of the adopted cluster or its network is made",
    () => {
      const theirs = made.resources.filter(
        ([, { Type }]) => /^AWS::(EC2|EKS)::/.test(Type) && Type !== "AWS::EKS::AccessEntry",
      );

      expect(theirs).toEqual([]);
    },
  );

  describe.runIf(cluster.kind === "create")("the new cluster", () => {
    test("has a private endpoint only, encrypts secrets, logs everything, knows access entries only", () => {
      const [[, resource] = []] = made.ofType("AWS::EKS::Cluster");

      expect(resource?.Properties).toMatchObject({
        ResourcesVpcConfig: { EndpointPrivateAccess: true, EndpointPublicAccess: false },
        AccessConfig: {
          AuthenticationMode: "API",
          BootstrapClusterCreatorAdminPermissions: false,
        },
        EncryptionConfig: [{ Resources: ["secrets"] }],
        Logging: {
          ClusterLogging: {
            EnabledTypes: ["api", "audit", "authenticator", "controllerManager", "scheduler"].map(
              (Type) => ({ Type }),
            ),
          },
        },
      });
    });

    test("enforces network policies and logs what it denied", () => {
      const configurations = made
        .ofType("AWS::EKS::Addon")
        .map(([, { Properties }]) => Properties)
        .filter(({ AddonName }) => AddonName === "vpc-cni")
        .map(({ ConfigurationValues }) => JSON.parse(String(ConfigurationValues)));

      expect(configurations).toEqual([
        {
          enableNetworkPolicy: "true",
          nodeAgent: { enablePolicyEventLogs: "true", enableCloudWatchLogs: "true" },
        },
      ]);
    });

    test("keeps pods from the node's credentials, and a broken node for the investigator", () => {
      const [[, template] = []] = made.ofType("AWS::EC2::LaunchTemplate");
      const [[, nodes] = []] = made.ofType("AWS::EKS::Nodegroup");

      expect(template?.Properties.LaunchTemplateData).toMatchObject({
        MetadataOptions: { HttpTokens: "required", HttpPutResponseHopLimit: 1 },
      });
      expect(nodes?.Properties.NodeRepairConfig).toEqual({ Enabled: false });
    });

    test("has a bastion that people reach through Session Manager only, to look and no more", () => {
      const [[, instance] = []] = made.ofType("AWS::EC2::Instance");
      const [[, access] = []] = made
        .ofType("AWS::EKS::AccessEntry")
        .filter(([id]) => id.startsWith("Bastion"));
      const inbound = made.resources.filter(
        ([, { Type, Properties }]) =>
          /SecurityGroup(Ingress)?$/.test(Type) &&
          /"GroupId":[^}]*Bastion/.test(JSON.stringify(Properties)) &&
          Type !== "AWS::EC2::SecurityGroup",
      );
      const [[, group] = []] = made
        .ofType("AWS::EC2::SecurityGroup")
        .filter(([id]) => id.startsWith("Bastion"));

      expect(instance?.Properties.KeyName).toBeUndefined();
      expect(instance?.Properties.MetadataOptions).toEqual({
        HttpTokens: "required",
        HttpPutResponseHopLimit: 1,
      });
      expect(instance?.Properties.BlockDeviceMappings).toEqual([
        expect.objectContaining({ Ebs: expect.objectContaining({ Encrypted: true }) }),
      ]);
      expect(group?.Properties.SecurityGroupIngress).toBeUndefined();
      expect(inbound).toEqual([]);
      expect(text(access?.Properties.AccessPolicies)).toContain("/AmazonEKSViewPolicy");
      const mayDo = allowed().filter(({ of }) => of.startsWith("BastionRole"));
      expect(mayDo.flatMap(({ actions }) => actions).filter((a) => a.startsWith("ssm:"))).toEqual([
        "ssm:UpdateInstanceInformation",
      ]);
    });

    test("has a private repository for each image: tags stay what they are, and are scanned", () => {
      const { images } = cluster.kind === "create" ? cluster : { images: {} };
      const repositories = made.ofType("AWS::ECR::Repository");

      expect(repositories.map(([, { Properties }]) => Properties.RepositoryName)).toEqual(
        Object.keys(images).map((name) => `${stage}-eks-containment/${name}`),
      );
      for (const [id, { Properties }] of repositories) {
        expect(Properties, id).toMatchObject({
          ImageTagMutability: "IMMUTABLE",
          ImageScanningConfiguration: { ScanOnPush: true },
          LifecyclePolicy: expect.anything(),
        });
        expect(Properties.RepositoryPolicyText, id).toBeUndefined();
      }
    });

    test("logs flows with the packets' own addresses, which are those of pods", () => {
      const [[, flowLog] = []] = made.ofType("AWS::EC2::FlowLog");

      expect(flowLog?.Properties.LogFormat).toMatch(/\{pkt-srcaddr\} \$\{pkt-dstaddr\}/);
      expect(flowLog?.Properties.TrafficType).toBe("ALL");
    });

    test("lets nobody of another account, and nothing to another account, through its endpoints", () => {
      for (const [id, { Properties }] of made.ofType("AWS::EC2::VPCEndpoint")) {
        const { Statement } = Document.parse(Properties.PolicyDocument);
        for (const { Condition, Resource: on } of Statement) {
          if (text(on).includes("starport-layer-bucket")) continue; // images' layers are AWS's
          expect(text(Condition), id).toContain('"aws:PrincipalAccount":"123456789012"');
          if (Properties.VpcEndpointType === "Gateway") {
            expect(text(Condition), id).toContain('"aws:ResourceAccount":"123456789012"');
          }
        }
      }
    });
  });
});
