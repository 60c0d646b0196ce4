import * as z from "zod";
import {
  type ForensicSettings,
  ForensicStage,
  Stage,
  type StageSettings,
} from "./stage-settings.ts";

/** No image has it. */
const UNPINNED = `sha256:${"0".repeat(64)}`;

/**
 * What an operator decides, per stage: `npx sst deploy --stage existing` reads `STAGES.existing`.
 * `stage-settings.ts` has every option with its default and reason. Copy one of the examples under
 * the name of your own stage. A wrong setting stops the deployment before anything is changed, and
 * names the field.
 */
const STAGES: Readonly<Record<string, z.input<typeof Stage>>> = {
  /** The laptop: a real API server and an emulated AWS, `npm start`. */
  local: {
    region: "us-east-1",
    cluster: {
      create: {
        name: "containment-local",
        availabilityZones: ["us-east-1a", "us-east-1b"],
        s3PrefixListId: "pl-00000000", // the emulated network carries no packets
        administrators: ["arn:aws:iam::000000000000:root"],
      },
    },
    viewers: ["arn:aws:iam::000000000000:root"],
    requesters: ["arn:aws:iam::000000000000:root"],
    response: {
      mode: "containment",
      actingSeverities: ["critical", "high", "medium", "low"],
      circuitBreaker: { targets: 1_000 }, // the tests contain hundreds within minutes
      onDrift: "reapply",
      reverifyMinutes: 0, // tests and the demo look again when they want to see what comes of it
    },
    preservation: { forensicCopy: { accountId: "111111111111", region: "eu-west-1" } },
    evidence: { retentionDays: 1 },
    operations: { alertsAtOnce: 4 }, // they share the laptop's few cores
  },
  /** An example: a new, fully private cluster with a bastion, to try the product out on AWS. */
  new: {
    region: "us-east-1",
    cluster: {
      create: {
        name: "containment-demo",
        availabilityZones: ["us-east-1a", "us-east-1b"],
        s3PrefixListId: "pl-00000000",
        administrators: ["arn:aws:iam::000000000000:role/PlatformAdmin"],
        // For kubernetes/; `npx containment images --pin <image>:<tag>` prints such a line.
        images: {
          "uptime-kuma": `docker.io/louislam/uptime-kuma:2-slim-rootless@${UNPINNED}`,
          busybox: `docker.io/library/busybox:stable@${UNPINNED}`,
        },
      },
    },
    evidence: { retentionDays: 1 },
  },
  /** An example: the cluster that you have. */
  existing: {
    region: "us-east-1",
    cluster: {
      existing: {
        name: "prod-eks-1",
        vpcId: "vpc-00000000",
        subnetIds: ["subnet-00000000", "subnet-00000001"],
        securityGroupId: "sg-00000000",
        s3EndpointId: "vpce-00000000",
      },
    },
  },
};

/**
 * Stages that take copies of the others' snapshots (`preservation.forensicCopy`), each deployed with
 * credentials of its own account: `npx sst deploy --stage forensic`.
 */
const FORENSIC_STAGES: Readonly<Record<string, z.input<typeof ForensicStage>>> = {
  /** An example. */
  forensic: { accountId: "000000000000", region: "eu-west-1", sources: ["000000000000"] },
};

/** The settings of a forensic stage; null: no forensic stage is called so. Throws like `settingsFor`. */
export function forensicSettingsFor(stage: string): ForensicSettings | null {
  const written = FORENSIC_STAGES[stage];
  return written ? parse(ForensicStage, stage, written) : null;
}

/** The settings of a stage, with defaults filled in. Throws with the field that is wrong. */
export function settingsFor(stage: string): StageSettings {
  const written = STAGES[stage];
  if (stage in FORENSIC_STAGES) {
    throw new Error(
      `stages.ts, stage "${stage}" only takes copies: it has no cluster, and only sst knows it.`,
    );
  }
  if (!written) {
    const known = [...Object.keys(STAGES), ...Object.keys(FORENSIC_STAGES)].join(", ");
    throw new Error(
      `stages.ts has no stage "${stage}"; it has ${known}. Add it there, or name one of these.`,
    );
  }
  return parseStage(stage, written);
}

/** The stage's name begins the names of its roles and functions, which AWS limits to 64 characters. */
const STAGE_NAME = /^[a-z][a-z0-9-]{0,23}$/;

/** What `settingsFor` does with what is written for a stage. */
export function parseStage(stage: string, written: unknown): StageSettings {
  return parse(Stage, stage, written);
}

function parse<Kind extends z.ZodType>(
  kind: Kind,
  stage: string,
  written: unknown,
): z.output<Kind> {
  if (!STAGE_NAME.test(stage)) {
    throw new Error(
      `stages.ts, stage "${stage}": a name is at most 24 lower-case letters, digits and hyphens`,
    );
  }
  const parsed = kind.safeParse(written);
  if (parsed.success) return parsed.data;
  throw new Error(`stages.ts, stage "${stage}":\n${z.prettifyError(parsed.error)}`);
}

/** Names of all stages that contain, the local one first. */
export const STAGE_NAMES: readonly string[] = Object.keys(STAGES);
export const FORENSIC_STAGE_NAMES: readonly string[] = Object.keys(FORENSIC_STAGES);

/** Ids and accounts of the examples, which exist nowhere. */
const EXAMPLE = /^(vpc|subnet|sg|vpce|pl)-0{7}[01]$|(^|:)000000000000(:|$)|@sha256:0{64}$/;

/** Throws while a stage that is to be deployed still holds an id of the examples, and says which. */
export function assertDeployable(stage: string, settings: StageSettings | ForensicSettings): void {
  if (stage === "local") return;
  const asWritten =
    "cluster" in settings
      ? { ...settings, cluster: { [settings.cluster.kind]: settings.cluster } }
      : settings;
  const examples = [...leaves(asWritten, "")].filter(([, value]) => EXAMPLE.test(value));
  if (examples.length === 0) return;
  const fields = examples.map(([path, value]) => `  ${path} is still ${value}`).join("\n");
  throw new Error(`stages.ts, stage "${stage}" holds what the examples hold:\n${fields}`);
}

/** Every text in the settings, with the path that leads to it. */
function* leaves(value: unknown, path: string): Generator<readonly [path: string, text: string]> {
  if (typeof value === "string") yield [path, value];
  if (typeof value !== "object" || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    yield* leaves(child, path === "" ? key : `${path}.${key}`);
  }
}
