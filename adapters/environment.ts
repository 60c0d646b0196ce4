import * as z from "zod";
import { MODES, SEVERITIES } from "../core/alert/alert.ts";
import type { ClusterIdentity } from "../core/alert/reading.ts";
import { type ResponseSettings, SCOPES } from "../core/alert/triage.ts";
import { DAYS } from "../core/brakes/maintenance-window.ts";
import { PROTECTABLE } from "../core/brakes/protected-label.ts";
import type { ForensicAccount } from "../core/node/forensic-copy.ts";
import type { PreservationSettings } from "../core/node/preservation-plan.ts";
import type { LockSettings } from "../core/node/volumes.ts";
import {
  ORDERS,
  OTHER_POLICIES,
  type QuarantineSettings,
  WORKLOAD_RESPONSES,
} from "../core/quarantine/settings.ts";
import { type DriftSettings, ON_DRIFT } from "../core/reverify/mend.ts";

/** The one place that reads the environment which the stacks give to the functions. */
function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "")
    throw new Error(`environment variable ${name} is not set`);
  return value;
}

export const region = (): string => required("AWS_REGION");
export const stage = (): string => required("STAGE");
export const evidenceBucket = (): string => required("EVIDENCE_BUCKET");
export const eventBus = (): string => required("EVENT_BUS_NAME");
export const copyKeyArn = (): string => required("COPY_KEY_ARN");
export const productVersion = (): string => required("PRODUCT_VERSION");

export const cluster = (): ClusterIdentity => ({
  name: required("CLUSTER_NAME"),
  arn: required("CLUSTER_ARN"),
});

const Settings = z.object({
  mode: z.enum(MODES),
  actingSeverities: z.array(z.enum(SEVERITIES)),
  scope: z.enum(SCOPES),
  minimumSeverity: z.enum(SEVERITIES),
  protectedNamespaces: z.array(z.string()),
  maintenanceWindows: z.array(
    z.union([
      z.object({
        days: z.array(z.enum(DAYS)),
        from: z.string(),
        to: z.string(),
        zone: z.string(),
      }),
      z.object({ from: z.string(), to: z.string() }),
    ]),
  ),
  protectedLabels: z.object({
    labels: z.record(z.string(), z.string()),
    on: z.array(z.enum(PROTECTABLE)),
  }),
  circuitBreaker: z.object({ targets: z.number(), minutes: z.number() }),
});

export const responseSettings = (): ResponseSettings =>
  Settings.parse(JSON.parse(required("RESPONSE_SETTINGS")));

const Drift = Settings.extend({ onDrift: z.enum(ON_DRIFT) });

export const driftSettings = (): DriftSettings =>
  Drift.parse(JSON.parse(required("RESPONSE_SETTINGS")));

const Quarantine = z.object({
  order: z.record(z.enum(SEVERITIES), z.enum(ORDERS)),
  workload: z.enum(WORKLOAD_RESPONSES),
  otherPolicies: z.record(z.enum(MODES), z.enum(OTHER_POLICIES)),
  recreateToCutFlows: z.boolean(),
});

export const quarantineSettings = (): QuarantineSettings =>
  Quarantine.parse(JSON.parse(required("QUARANTINE_SETTINGS")));

const Preservation = z.object({
  cordon: z.boolean(),
  protect: z.boolean(),
  followSnapshotsSeconds: z.number(),
  forensicCopy: z.object({ accountId: z.string(), region: z.string() }).nullable(),
});

export const preservationSettings = (): PreservationSettings & {
  readonly followSnapshotsSeconds: number;
  readonly forensicCopy: ForensicAccount | null;
} => Preservation.parse(JSON.parse(required("PRESERVATION_SETTINGS")));

const Lock = z.object({
  mode: z.enum(["governance", "compliance"]),
  retentionDays: z.number(),
});

export const snapshotLock = (): LockSettings => Lock.parse(JSON.parse(required("SNAPSHOT_LOCK")));
