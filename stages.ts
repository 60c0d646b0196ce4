import * as z from "zod";
import { MODES, SEVERITIES } from "./core/alert/alert.ts";
import { ORDERS, OTHER_POLICIES, WORKLOAD_RESPONSES } from "./core/quarantine/settings.ts";

/**
 * What an operator decides, per stage: `npx sst deploy --stage prod` reads `STAGES.prod` below. A
 * wrong setting stops the deployment before anything is changed, and names the field.
 */
const Stage = z.strictObject({
  /** Region of the cluster; everything is deployed beside it. */
  region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "is no AWS region"),

  cluster: z.strictObject({
    /** Name of the existing EKS cluster that this stage contains in. Its mode must include API. */
    name: z.string().min(1).max(100),
    /**
     * Where the functions run so that they reach the private API endpoint and the AWS services.
     * Left out only on the local stage, where everything is on loopback.
     */
    network: z
      .strictObject({
        vpcId: z.string().regex(/^vpc-[0-9a-f]+$/, "is no VPC id"),
        /** Subnets without a route to the internet, with endpoints for what `README.md` lists. */
        subnetIds: z.array(z.string().regex(/^subnet-[0-9a-f]+$/, "is no subnet id")).min(1),
        /** A group that the cluster's security group admits on 443. */
        securityGroupId: z.string().regex(/^sg-[0-9a-f]+$/, "is no security group id"),
      })
      .optional(),
  }),

  response: z.strictObject({
    /**
     * What an alert of a sensor leads to. Default `audit`: a new stage shows what it would do until
     * somebody decides that it may act. Requests by hand always name their own mode.
     */
    mode: z.enum(MODES).default("audit"),
    /**
     * Alerts below it are recorded and ignored. Default `low`: Falco reports a shell in a container
     * as a Notice, which is `low`.
     */
    minimumSeverity: z.enum(SEVERITIES).default("low"),
    /** Never written to, whoever asks: runs about them are audits. Default: the cluster's own. */
    protectedNamespaces: z
      .array(z.string())
      .default(["kube-system", "kube-public", "kube-node-lease"]),
  }),

  quarantine: z
    .strictObject({
      /**
       * On the AWS VPC CNI, whose pods of one ReplicaSet share one set of rules. `fast` cuts the pod
       * off within milliseconds, and its siblings with it until a rollout has replaced them; `clean`
       * replaces the siblings first, and the pod stays as reachable as they are until then. By the
       * alert's severity; default `fast` for critical and high, `clean` for the rest.
       */
      order: z
        .strictObject({
          critical: z.enum(ORDERS).default("fast"),
          high: z.enum(ORDERS).default("fast"),
          medium: z.enum(ORDERS).default("clean"),
          low: z.enum(ORDERS).default("clean"),
          informational: z.enum(ORDERS).default("clean"),
        })
        .prefault({}),
      /**
       * What becomes of a contained pod's workload: `keep` it running, `annotate` it as under
       * investigation, or `scaleToZero`, its replica count recorded. Default `keep`: one bad pod
       * should not take the service down.
       */
      workload: z.enum(WORKLOAD_RESPONSES).default("keep"),
      /**
       * Other policies of a contained namespace that still allow traffic: `report` them only, or
       * `suspend` them, that is point them at nothing until the release. Default: `suspend` when the
       * run contains, `report` when it only audits.
       */
      otherPolicies: z
        .strictObject({
          containment: z.enum(OTHER_POLICIES).default("suspend"),
          audit: z.enum(OTHER_POLICIES).default("report"),
        })
        .prefault({}),
      /**
       * On a VPC CNI without ClusterNetworkPolicy, delete the deny-all policy and create it again
       * once the siblings are gone: it cuts connections from before that are in use, and opens the
       * pod for a third of a second. Default false: that third is the attacker's.
       */
      recreateToCutFlows: z.boolean().default(false),
    })
    .prefault({}),

  evidence: z.strictObject({
    /** Days for which nobody can delete evidence. Default 365: most audits look back a year. */
    retentionDays: z.number().int().min(1).max(36_500).default(365),
    /**
     * `governance` lets a role with s3:BypassGovernanceRetention shorten a retention; `compliance`
     * lets nobody, root included. Default `governance`: a mistaken 100 years cannot be taken back.
     */
    lock: z.enum(["governance", "compliance"]).default("governance"),
  }),
});

export type StageSettings = z.output<typeof Stage>;

const STAGES: Readonly<Record<string, z.input<typeof Stage>>> = {
  /** The laptop: a real API server and an emulated AWS, `npm start`. */
  local: {
    region: "us-east-1",
    cluster: { name: "containment-local" },
    response: { mode: "containment" },
    evidence: { retentionDays: 1 },
  },
  /** An example to edit: put the ids of the cluster's own network here. */
  prod: {
    region: "us-east-1",
    cluster: {
      name: "prod-eks-1",
      network: { vpcId: "vpc-0", subnetIds: ["subnet-0"], securityGroupId: "sg-0" },
    },
    response: {},
    evidence: {},
  },
};

/** The settings of a stage, with defaults filled in. Throws with the field that is wrong. */
export function settingsFor(stage: string): StageSettings {
  const written = STAGES[stage];
  if (!written) {
    const known = Object.keys(STAGES).join(", ");
    throw new Error(`stages.ts has no stage "${stage}"; it has ${known}`);
  }
  const parsed = Stage.safeParse(written);
  if (parsed.success) return parsed.data;
  throw new Error(`stages.ts, stage "${stage}":\n${z.prettifyError(parsed.error)}`);
}

/** Names of all stages, the local one first. */
export const STAGE_NAMES: readonly string[] = Object.keys(STAGES);

/** Throws unless the stage can be deployed: only the local stage may do without a network. */
export function assertDeployable(stage: string, settings: StageSettings): void {
  const { network } = settings.cluster;
  if (stage === "local") return;
  if (!network) throw new Error(`stages.ts, stage "${stage}": cluster.network is missing`);
  if (network.vpcId === "vpc-0") {
    throw new Error(`stages.ts, stage "${stage}": cluster.network still holds the example's ids`);
  }
}
