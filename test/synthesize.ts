/** The templates of a stage, made offline by the code that `sst build` runs. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Aspects, type Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import {
  AwsSolutionsChecks,
  type INagLogger,
  type NagLoggerSuppressedData,
  NIST80053R5Checks,
} from "cdk-nag";
import { App } from "sst/constructs";
import { initProject, useProject } from "sst/project";
import * as z from "zod";
import config from "../sst.config.ts";

const Resource = z.object({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).default({}),
  DeletionPolicy: z.string().optional(),
  Metadata: z
    .object({
      cdk_nag: z
        .object({ rules_to_suppress: z.array(z.object({ id: z.string(), reason: z.string() })) })
        .optional(),
    })
    .default({}),
});
const Resources = z.object({ Resources: z.record(z.string(), Resource) });
export type Resource = z.infer<typeof Resource>;

export interface Finding {
  readonly id: string;
  readonly resource: string;
  readonly reason: string;
}

export interface SynthesizedStage {
  /** Template by the name of its stack, without stage and app. */
  readonly templates: ReadonlyMap<string, unknown>;
  /** What cdk-nag and the CDK itself object to. */
  readonly objections: readonly string[];
  /** Findings of cdk-nag that are accepted, with the reason. */
  readonly accepted: readonly Finding[];
  /** `[logical id, resource]`, over all stacks. */
  readonly resources: readonly (readonly [id: string, resource: Resource])[];
  ofType(type: string): (readonly [id: string, resource: Resource])[];
}

/** Bundles the functions, which takes most of its ten seconds. */
export async function synthesize(stage: string): Promise<SynthesizedStage> {
  await initProject({ stage });
  // A bundle's folder is emptied first and named by stage and function: files that run side by side
  // would empty each other's.
  const { paths } = useProject();
  paths.artifacts = join(paths.out, "artifacts", `worker-${process.env.VITEST_POOL_ID}`);
  const outdir = await mkdtemp(join(tmpdir(), "templates-"));
  try {
    return await synthesizeTo(outdir, stage);
  } finally {
    await rm(outdir, { recursive: true });
  }
}

async function synthesizeTo(outdir: string, stage: string): Promise<SynthesizedStage> {
  const { name, region } = await config.config({ stage });
  const where = { name, region, account: "123456789012" };
  const app = new App({ mode: "deploy", stage, ...where }, { outdir });
  const accepted: Finding[] = [];
  const additionalLoggers = [collector(accepted)];
  Aspects.of(app).add(new AwsSolutionsChecks({ verbose: true, additionalLoggers }));
  Aspects.of(app).add(new NIST80053R5Checks({ verbose: true, additionalLoggers }));
  await config.stacks(app);
  await app.finish();
  const assembly = app.synth();
  const stacks = app.node.children.filter((each): each is Stack => "stackName" in each);
  const templates = new Map(
    stacks.map((stack) => {
      const template: unknown = Template.fromStack(stack).toJSON();
      return [stack.stackName.slice(`${stage}-${name}-`.length), template] as const;
    }),
  );
  const resources = [...templates.values()].flatMap((template) =>
    Object.entries(Resources.parse(template).Resources),
  );
  return {
    templates,
    objections: stacks.flatMap(({ stackName }) =>
      assembly
        .getStackByName(stackName)
        .messages.map(({ id, level, entry }) => `${level} ${id}: ${String(entry.data)}`),
    ),
    accepted,
    resources,
    ofType: (type) => resources.filter(([, resource]) => resource.Type === type),
  };
}

function collector(accepted: Finding[]): INagLogger {
  const ignore = () => {};
  return {
    onSuppressed: ({ ruleId, resource, suppressionReason }: NagLoggerSuppressedData) => {
      accepted.push({ id: ruleId, resource: resource.node.path, reason: suppressionReason });
    },
    onCompliance: ignore,
    onNonCompliance: ignore, // an annotation of the stack
    onError: ignore, // likewise
    onSuppressedError: ignore,
    onNotApplicable: ignore,
  };
}
