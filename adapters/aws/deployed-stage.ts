import {
  CloudFormationClient,
  DescribeStackResourcesCommand,
  GetTemplateCommand,
  paginateDescribeStacks,
} from "@aws-sdk/client-cloudformation";
import { DescribeAccessEntryCommand, EKSClient } from "@aws-sdk/client-eks";
import {
  GetObjectCommand,
  GetObjectLockConfigurationCommand,
  ListObjectsV2Command,
  paginateListObjectsV2,
  S3Client,
} from "@aws-sdk/client-s3";
import { GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import * as z from "zod";
import type { DeployedStage, GrantedEntry, Stack } from "../../core/readiness/deployed.ts";
import type { Observed } from "../../core/readiness/finding.ts";
import { type OpenCase, openCase } from "../../core/readiness/removal.ts";
import { type AwsAccess, all, LOOKING, look, unlessAbsent } from "./observe.ts";

/** What a template says of an access entry. A type that EKS manages has groups of its own. */
const AccessEntry = z.object({
  Type: z.literal("AWS::EKS::AccessEntry"),
  Properties: z.object({
    Type: z.literal("STANDARD").default("STANDARD"),
    KubernetesGroups: z.array(z.string()).default([]),
  }),
});

const Template = z.object({ Resources: z.record(z.string(), z.unknown()).default({}) });

/** A stage as CloudFormation, EKS, SSM and S3 have it. */
export function deployedStage(
  stage: string,
  access: AwsAccess,
): DeployedStage & { openCases(bucket: string): Promise<Observed<readonly OpenCase[]>> } {
  const cloudFormation = new CloudFormationClient({ ...LOOKING, ...access });
  const eks = new EKSClient({ ...LOOKING, ...access });
  const ssm = new SSMClient({ ...LOOKING, ...access });
  const s3 = new S3Client({ ...LOOKING, ...access });
  const prefix = `${stage}-eks-containment-`;

  async function stacks(): Promise<Stack[]> {
    const found = await all(
      paginateDescribeStacks({ client: cloudFormation }, {}),
      ({ Stacks }) => Stacks,
    );
    return found
      .filter(({ StackName = "" }) => StackName.startsWith(prefix))
      .filter(({ StackStatus }) => StackStatus !== "DELETE_COMPLETE")
      .map(({ StackName = "", StackStatus: status = "", Outputs = [] }) => ({
        name: StackName.slice(prefix.length),
        status,
        outputs: Object.fromEntries(
          Outputs.map(({ OutputKey = "", OutputValue = "" }) => [OutputKey, OutputValue]),
        ),
      }));
  }

  async function entriesIn(stack: Stack, clusterName: string): Promise<GrantedEntry[]> {
    const StackName = `${prefix}${stack.name}`;
    const { TemplateBody = "{}" } = await cloudFormation.send(
      new GetTemplateCommand({ StackName }),
    );
    const { Resources } = Template.parse(JSON.parse(TemplateBody));
    const groups = new Map(
      Object.entries(Resources).flatMap(([id, resource]) => {
        const entry = AccessEntry.safeParse(resource);
        return entry.success ? [[id, entry.data.Properties.KubernetesGroups] as const] : [];
      }),
    );
    if (groups.size === 0) return [];
    const { StackResources = [] } = await cloudFormation.send(
      new DescribeStackResourcesCommand({ StackName }),
    );
    return StackResources.flatMap(({ LogicalResourceId = "", PhysicalResourceId = "" }) => {
      const given = groups.get(LogicalResourceId);
      if (!given || !PhysicalResourceId.endsWith(clusterName)) return [];
      // The physical id is principal and cluster, with a separator between them.
      const principalArn = PhysicalResourceId.slice(0, -clusterName.length - 1);
      return [{ principalArn, groups: given }];
    });
  }

  return {
    stacks: () => look("cloudformation:DescribeStacks", stacks),

    grantedEntries: (clusterName) =>
      look("cloudformation:GetTemplate and cloudformation:DescribeStackResources", async () => {
        const entries: GrantedEntry[] = [];
        for (const stack of await stacks()) entries.push(...(await entriesIn(stack, clusterName)));
        return entries;
      }),

    groupsOf: (clusterName, principalArn) =>
      look("eks:DescribeAccessEntry", async () => {
        const answer = await unlessAbsent(
          eks.send(new DescribeAccessEntryCommand({ clusterName, principalArn })),
        );
        return answer === null ? null : (answer.accessEntry?.kubernetesGroups ?? []);
      }),

    parameter: (Name) =>
      look("ssm:GetParameter", async () => {
        const answer = await unlessAbsent(ssm.send(new GetParameterCommand({ Name })));
        return answer?.Parameter?.Value ?? null;
      }),

    keys: (Bucket, Prefix, MaxKeys) =>
      look("s3:ListBucket", async () => {
        const { Contents = [] } = await s3.send(
          new ListObjectsV2Command({ Bucket, Prefix, MaxKeys }),
        );
        return Contents.map(({ Key: key = "", LastModified }) => ({
          key,
          storedAt: LastModified?.toISOString() ?? "",
        }));
      }),

    objectLock: (Bucket) =>
      look("s3:GetBucketObjectLockConfiguration", async () => {
        const answer = await unlessAbsent(
          s3.send(new GetObjectLockConfigurationCommand({ Bucket })),
        );
        const {
          Mode: mode,
          Days,
          Years,
        } = answer?.ObjectLockConfiguration?.Rule?.DefaultRetention ?? {};
        const days = Days ?? (Years === undefined ? undefined : Years * 365);
        return mode === undefined || days === undefined ? null : { mode, days };
      }),

    openCases: (Bucket) =>
      look("s3:ListBucket and s3:GetObject", async () => {
        const keys = await all(
          paginateListObjectsV2({ client: s3 }, { Bucket, Prefix: "open/" }),
          ({ Contents = [] }) => Contents.flatMap(({ Key }) => Key ?? []),
        );
        const cases: OpenCase[] = [];
        for (const Key of keys) {
          const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
          cases.push(openCase(Key, (await Body?.transformToString()) ?? ""));
        }
        return cases;
      }),
  };
}
