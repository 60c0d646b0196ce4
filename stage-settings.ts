import * as z from "zod";
import { MODES, SEVERITIES } from "./core/alert/alert.ts";
import { SCOPES } from "./core/alert/triage.ts";
import { DAYS, type MaintenanceWindow } from "./core/brakes/maintenance-window.ts";
import { PROTECTABLE } from "./core/brakes/protected-label.ts";
import { overlap, parseBlock } from "./core/quarantine/reach/ip.ts";
import { ORDERS, OTHER_POLICIES, WORKLOAD_RESPONSES } from "./core/quarantine/settings.ts";
import { ON_DRIFT } from "./core/reverify/mend.ts";

/*
 * What an operator can decide for a stage, each option with its default and the reason for it. The
 * values are in `stages.ts`. What is wrong in a single field is said here, offline; what is wrong
 * only in the light of an account or a cluster is said by `stacks/preflight.ts`.
 */

const id = (prefix: string) =>
  z.string().regex(new RegExp(`^${prefix}-[0-9a-f]{8,17}$`), `is no ${prefix}-… id`);

const principalArn = z
  .string()
  .regex(/^arn:aws[a-z-]*:iam::\d{12}:(root|(role|user)\/.+)$/, "is no ARN of an IAM role or user");

const accountId = z.string().regex(/^\d{12}$/, "is no AWS account id");

const awsRegion = z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "is no AWS region");

/** The stage's name begins the names of its roles and functions, which AWS limits to 64 characters. */
const stageName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,23}$/, "is no name: at most 24 lower-case letters, digits and hyphens");

/** An IPv4 range whose prefix is between the two lengths, both included. */
const ipv4Range = (shortest: number, longest: number) =>
  z.cidrv4().refine(
    (text) => {
      const prefix = Number(text.split("/")[1]);
      return prefix >= shortest && prefix <= longest;
    },
    { error: `must be between /${shortest} and /${longest}` },
  );

const clusterName = z
  .string()
  .regex(/^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/, "is no name that EKS gives to clusters");

/** A cluster that exists: nothing of it is changed; `containment doctor` says what it lacks. */
const ExistingCluster = z.strictObject({
  /** Its authentication mode must include API. */
  name: clusterName,
  vpcId: id("vpc"),
  /** Where the functions run. Two zones or more: one may fail on the night of the incident. */
  subnetIds: z.array(id("subnet")).min(2),
  /** The functions' own group. The cluster's security group must admit it on 443. */
  securityGroupId: id("sg"),
  /** The VPC's gateway endpoint for S3: evidence is read and written through it and no other way. */
  s3EndpointId: id("vpce"),
});

/** A new VPC without any way to the internet, and a new cluster with a private endpoint in it. */
const NewCluster = z
  .strictObject({
    name: clusterName,
    /** Default 1.35: the version that the tests run against. */
    version: z
      .string()
      .regex(/^1\.\d{2}$/, "is no Kubernetes version")
      .default("1.35"),
    /** Default 10.40.0.0/16: room for pods, and seldom somebody else's range. */
    vpcCidr: ipv4Range(16, 20).default("10.40.0.0/16"),
    /** Addresses of Services; must not overlap `vpcCidr`. Default 172.20.0.0/16, as EKS chooses. */
    serviceCidr: ipv4Range(12, 24).default("172.20.0.0/16"),
    /** Named, so that the same deployment always makes the same network. */
    availabilityZones: z
      .array(z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d[a-z]$/, "is no availability zone"))
      .min(2)
      .max(3),
    /**
     * The region's prefix list of S3: security groups let the functions and the bastion reach it
     * and nothing else. `aws ec2 describe-managed-prefix-lists --filters
     * Name=prefix-list-name,Values=com.amazonaws.<region>.s3` prints it.
     */
    s3PrefixListId: id("pl"),
    nodes: z
      .strictObject({
        /** Default m7g.large: arm64, and room for the demo beside the cluster's own pods. */
        instanceType: z.string().default("m7g.large"),
        /** Default 2: a contained pod's node stays, its replacement needs another one. */
        minimum: z.number().int().min(1).max(100).default(2),
        maximum: z.number().int().min(1).max(100).default(4),
      })
      .prefault({}),
    /** IAM roles of people who administer the cluster; without one nobody can apply the RBAC. */
    administrators: z.array(principalArn).min(1),
    /** A way in for people, over Session Manager, without key or inbound rule. Default true. */
    bastion: z.boolean().default(true),
    /**
     * The kubectl that `containment tools` puts on the bastion. Default: the newest patch of
     * `version`, with the checksum that is published beside it.
     */
    kubectl: z
      .strictObject({
        version: z.string().regex(/^1\.\d{2}\.\d+$/, "is no release of kubectl"),
        sha256: z.string().regex(/^[0-9a-f]{64}$/, "is no SHA-256 in hex"),
      })
      .optional(),
    /**
     * Container images that `containment images` copies into private ECR for the demo's workloads,
     * by repository name. Digests, so that what was reviewed is what runs. Default: none.
     */
    images: z
      .record(
        z.string().regex(/^[a-z0-9]+([._/-][a-z0-9]+)*$/, "is no repository name"),
        z.string().regex(/^[^\s@]+@sha256:[0-9a-f]{64}$/, "must end in @sha256: and a digest"),
      )
      .default({}),
  })
  .superRefine((cluster, context) => {
    const [vpc, services] = [parseBlock(cluster.vpcCidr), parseBlock(cluster.serviceCidr)];
    if (vpc && services && overlap(vpc, services)) {
      const message = `${cluster.serviceCidr} overlaps vpcCidr ${cluster.vpcCidr}`;
      context.addIssue({ code: "custom", path: ["serviceCidr"], message });
    }
    if (cluster.nodes.maximum < cluster.nodes.minimum) {
      const message = "is less than minimum";
      context.addIssue({ code: "custom", path: ["nodes", "maximum"], message });
    }
    if (new Set(cluster.availabilityZones).size !== cluster.availabilityZones.length) {
      const message = "names a zone twice";
      context.addIssue({ code: "custom", path: ["availabilityZones"], message });
    }
  });

const Cluster = z
  .strictObject({ create: NewCluster.optional(), existing: ExistingCluster.optional() })
  .transform(({ create, existing }, context) => {
    if (create && !existing) return { kind: "create" as const, ...create };
    if (existing && !create) return { kind: "existing" as const, ...existing };
    context.addIssue({ code: "custom", message: "needs either `create` or `existing`" });
    return z.NEVER;
  });

const WALL_TIME = /^([01]\d|2[0-3]):[0-5]\d$/;

/** A name that `Intl` knows; those of the IANA's database and UTC. */
const timeZone = z.string().refine(isTimeZone, { error: "is no time zone like Europe/Berlin" });

function isTimeZone(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

const LABEL_VALUE = /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;
const LABEL_KEY =
  /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;

/** Every week where it names days, otherwise once. */
const Window = z
  .strictObject({
    days: z.array(z.enum(DAYS)).min(1).optional(),
    /** A time of the day like 22:00, or RFC 3339 where it comes once. */
    from: z.string(),
    /** On the next day where it is not later than `from`. */
    to: z.string(),
    /** Of the times of the day. Default UTC: it has no hour twice and none left out. */
    zone: timeZone.optional(),
  })
  .transform(({ days, from, to, zone }, context): MaintenanceWindow => {
    const refuse = (field: string, message: string) => {
      context.addIssue({ code: "custom", path: [field], message });
    };
    for (const [field, text] of Object.entries({ from, to })) {
      if (days && !WALL_TIME.test(text)) refuse(field, `${text} is no time of the day like 22:00`);
      if (!days && !z.iso.datetime({ offset: true }).safeParse(text).success) {
        refuse(
          field,
          `${text} is no time like 2026-12-01T22:00:00Z; with days it is one like 22:00`,
        );
      }
    }
    if (days) {
      if (from === to) refuse("to", "is when it begins");
      return { days, from, to, zone: zone ?? "UTC" };
    }
    if (zone) refuse("zone", "is only for windows with days: the times name their own");
    if (Date.parse(from) >= Date.parse(to)) refuse("to", "is not after from");
    return { from, to };
  });

const Response = z.strictObject({
  /**
   * What an alert of a sensor leads to. Default `audit`: a new stage shows what it would do until
   * somebody decides that it may act. Requests by hand always name their own mode.
   */
  mode: z.enum(MODES).default("audit"),
  /**
   * Severities that act by themselves where the mode is containment; the others are audited and a
   * person decides. Default critical and high. Falco reports a shell in a container as a Notice,
   * which is `low`.
   */
  actingSeverities: z.array(z.enum(SEVERITIES)).default(["critical", "high"]),
  /** Alerts below it are recorded and ignored. Default `low`: informational alerts are not pursued. */
  minimumSeverity: z.enum(SEVERITIES).default("low"),
  /**
   * What an alert about a pod contains: the `pod`, or all of its `namespace`. Default `pod`: the
   * smallest thing that stops the attacker. Requests by hand name their own target.
   */
  scope: z.enum(SCOPES).default("pod"),
  /**
   * Never written to, whoever asks: runs about them are audits. Default: the cluster's own, and
   * `falco`, where Falcosidekick runs: to contain it is to go blind, and whoever can make Falco raise
   * an alert about it could have the product do that for him. A person decides about it.
   */
  protectedNamespaces: z
    .array(z.string())
    .default(["kube-system", "kube-public", "kube-node-lease", "falco"]),
  /**
   * Labels that make a run an audit, whoever asks, each by itself, and on what they count: on the
   * `namespace`, or on the `pod` and the pod template of its workload as well. Default
   * `eks-containment/protected: "true"` on namespaces only: whoever took over a workload may be able
   * to label it, and would be left alone.
   */
  protectedLabels: z
    .strictObject({
      labels: z
        .record(
          z.string().regex(LABEL_KEY, "is no key of a label"),
          z.string().regex(LABEL_VALUE, "is no value of a label"),
        )
        .default({ "eks-containment/protected": "true" }),
      on: z.array(z.enum(PROTECTABLE)).min(1).default(["namespace"]),
    })
    .prefault({}),
  /**
   * At most so many new targets are contained within so many minutes; further ones are audited and
   * the notification has the command to contain them by hand, which is not limited. Default 20 in 10
   * minutes: more than an attacker takes over at a time, and less than a service can lose while
   * somebody is being woken, should a rule be wrong or forged.
   */
  circuitBreaker: z
    .strictObject({
      targets: z.number().int().min(1).max(1_000).default(20),
      minutes: z.number().int().min(1).max(1_440).default(10),
    })
    .prefault({}),
  /**
   * When people change the cluster and sensors' alerts are audited only: `{ days: ["Sat"], from:
   * "22:00", to: "02:00", zone: "Europe/Berlin" }` every week, or once from one time to another,
   * RFC 3339. Requests by hand act. Default none: attackers know the hours too.
   */
  maintenanceWindows: z.array(Window).default([]),
  /**
   * Minutes between two looks at every open case: does what the run made still stand? Default 5:
   * what undoes it, a GitOps controller or a colleague, does so within minutes, and a look costs the
   * API server about fifteen reads a case. 0: cases are looked at only by `containment reverify`.
   */
  reverifyMinutes: z.number().int().min(0).max(1_440).default(5),
  /**
   * What follows when a containment has drifted: `report` it, or `reapply` it by its own plan, at
   * most three times a case. Default `report`: whoever undid it may have meant to, and until
   * somebody chose otherwise the functions that look again hold no right to write.
   */
  onDrift: z.enum(ON_DRIFT).default("report"),
});

const Quarantine = z.strictObject({
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
});

const Preservation = z.strictObject({
  /**
   * Cordon the nodes under the target. Default true: a new pod would write over what the attacker
   * left in memory and on disk. What runs there goes on running; nothing is drained.
   */
  cordon: z.boolean().default(true),
  /**
   * Protect nodes, instances and pods from autoscalers, scale-in and termination. Default true:
   * they take evidence away within minutes. Whoever releases the case undoes it by the plan.
   */
  protect: z.boolean().default(true),
  /**
   * Seconds for which a run waits for its snapshots to complete. Default 60: people on call hear of
   * the run when it ends, and a large volume takes an hour. What is pending then is said to be.
   */
  followSnapshotsSeconds: z.number().int().min(0).max(1_800).default(60),
  /**
   * Where the snapshots of a run are copied to besides: an account and region where a stage of
   * `FORENSIC_STAGES` is deployed. Default null: it takes a second account, every gigabyte costs
   * twice, and disks under EBS's default key cannot be shared.
   */
  forensicCopy: z
    .strictObject({
      accountId,
      region: awsRegion,
      /** Default `forensic`: how that stage is called. */
      stage: stageName.default("forensic"),
    })
    .nullable()
    .default(null),
});

const Evidence = z.strictObject({
  /** Days for which nobody can delete evidence, snapshots included. Default 365: most audits look back a year. */
  retentionDays: z.number().int().min(1).max(36_500).default(365),
  /**
   * `governance` lets an administrator who first opens the bucket's policy shorten a retention;
   * `compliance` lets nobody, root included. Default `governance`: a mistaken 100 years could not
   * be taken back.
   */
  lock: z.enum(["governance", "compliance"]).default("governance"),
  /** Days after which evidence moves to S3 Glacier Instant Retrieval. Default 90, as it costs less. */
  archiveAfterDays: z.number().int().min(1).default(90),
  /**
   * Seconds that containment waits for the state of the target to be written down before it changes
   * anything; what is not read by then is listed as missing. Default 5: most targets take one, and
   * an attacker uses every further one.
   */
  waitSeconds: z.number().int().min(2).max(60).default(5),
  /**
   * IAM roles of people who may read evidence from outside the VPC: `containment runs`, `verify`,
   * Athena. Default none: then it is read from inside the VPC only.
   */
  readers: z.array(principalArn).default([]),
});

const Operations = z.strictObject({
  /** Who is told of every run and every alarm; each address must confirm. Default nobody. */
  emails: z.array(z.email()).default([]),
  /** The time to contain above which an alarm goes off. Default 30 s, several times the usual. */
  timeToContainSeconds: z.number().positive().default(30),
  /** Days of CloudWatch logs, one of the periods that CloudWatch knows. Default 365. */
  logRetentionDays: z
    .literal([30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2557, 3653])
    .default(365),
  /**
   * How many alerts are read and given to a case at once; further ones wait for minutes. Reserved twice
   * of the account's concurrency, for Triage and OpenCase. Default 20.
   */
  alertsAtOnce: z.number().int().min(1).max(500).default(20),
});

export const Stage = z.strictObject({
  /** Region of the cluster; everything is deployed beside it. */
  region: awsRegion,
  /** `{ create: … }`, a new private cluster, or `{ existing: … }`, the one that you have. */
  cluster: Cluster,
  /**
   * IAM roles of people who may look into the cluster with `containment plan`. Default none: what
   * the functions see is in the evidence.
   */
  viewers: z.array(principalArn).default([]),
  /**
   * IAM roles of people who may ask for a containment by hand (`containment contain`). Default none:
   * a request chooses its own mode, and many an application may put events on every bus.
   */
  requesters: z.array(principalArn).default([]),
  /**
   * IAM roles that may send alerts to the queue: Falcosidekick's, in the cluster that you have; that
   * of a cluster of the stage's own is known. Default none: an alert leads to a containment.
   */
  alertSenders: z.array(principalArn).default([]),
  response: Response.prefault({}),
  quarantine: Quarantine.prefault({}),
  preservation: Preservation.prefault({}),
  evidence: Evidence.prefault({}),
  operations: Operations.prefault({}),
});

export type StageSettings = z.output<typeof Stage>;

/**
 * A stage that takes copies of other stages' snapshots: nothing else is deployed there. It belongs into
 * an account of its own, to which nobody of the others' has a way.
 */
export const ForensicStage = z.strictObject({
  accountId,
  /** Where the copies lie. Another region than the cluster's outlives the loss of that one. */
  region: awsRegion,
  /** Accounts whose stages may ask for copies. */
  sources: z.array(accountId).min(1),
  evidence: Evidence.pick({ retentionDays: true, lock: true }).prefault({}),
  operations: Operations.pick({ emails: true, logRetentionDays: true }).prefault({}),
});

export type ForensicSettings = z.output<typeof ForensicStage>;
export type ClusterSettings = StageSettings["cluster"];
export type NewClusterSettings = Extract<ClusterSettings, { kind: "create" }>;
export type ExistingClusterSettings = Extract<ClusterSettings, { kind: "existing" }>;
