import * as z from "zod";
import { MODES, SEVERITIES } from "../core/alert/alert.ts";
import { BRAKES, type BrakeName } from "../core/brakes/brake.ts";
import { CNIS } from "../core/cluster/network.ts";
import { POLICY_KINDS, type PolicyKind } from "../core/policies.ts";

/** The states that run code, as the workflow, the files in functions/ and the documents name them. */
export const STATES = [
  "Triage",
  "RecordIgnored",
  "OpenCase",
  "Authenticate",
  "SnapshotBefore",
  "ApplyPolicy",
  "CompletePolicy",
  "PreserveNode",
  "SnapshotNodeEbs",
  "CaptureContext",
  "PreviewCredentials",
  "RecordContext",
  "FollowSnapshots",
  "SnapshotAfter",
  "RecordRun",
  "ListOpenCases",
  "ReverifyCase",
  "ReapplyPolicy",
  "DrainNode",
  "RecordDrain",
  "RecordFailure",
] as const;
export type StateName = (typeof STATES)[number];

/** The function that runs in a forensic account, for the workflow there. */
export const COPIER = "CopySnapshot";

/** The state's word in the names of files: `SnapshotNodeEbs` is in `snapshot-node-ebs.ts`. */
export function fileOf(state: StateName | typeof COPIER): string {
  return state.replaceAll(/(?<!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
}

/*
 * The pieces that states hand on to each other. Each function's own file says which of them it
 * needs; the workflow adds what the function returns.
 */

export const Alert = z.object({
  source: z.enum(["falco", "guardduty", "manual"]),
  id: z.string(),
  rule: z.string(),
  severity: z.enum(SEVERITIES),
  detectedAt: z.string(),
});

export const Target = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("pod"),
    cluster: z.string(),
    namespace: z.string(),
    name: z.string(),
    uid: z.string().nullable(),
    containerId: z.string().nullable(),
  }),
  z.object({
    kind: z.literal("namespace"),
    cluster: z.string(),
    namespace: z.string(),
    name: z.string(),
    uid: z.string().nullable(),
  }),
]);

export const Mode = z.enum(MODES);

const BRAKE_NAMES = Object.keys(BRAKES) as BrakeName[];

/** What held something back. */
export const Brake = z.object({
  brake: z.enum(BRAKE_NAMES),
  withheld: z.string(),
  why: z.string(),
  lift: z.string(),
});

/** The kill switch as it was read last; null when it could not be. */
export const KillSwitch = z.object({ name: z.string(), value: z.string().nullable() });

export const Case = z.object({ id: z.string(), runId: z.string() });

export const Cluster = z.object({
  name: z.string(),
  endpoint: z.string(),
  certificateAuthority: z.string(),
  ipFamily: z.enum(["ipv4", "ipv6"]),
});

const POLICY_KIND_NAMES = Object.keys(POLICY_KINDS) as PolicyKind[];

/** What enforces policies in the cluster, as Authenticate found it. */
export const Network = z.object({
  cni: z.enum(CNIS).nullable(),
  enforcing: z.enum(["on", "off", "unknown"]),
  mode: z.enum(["standard", "strict", "unknown"]).nullable(),
  ipFamily: z.enum(["ipv4", "ipv6"]),
  policyKinds: z.array(z.enum(POLICY_KIND_NAMES)),
  seen: z.array(z.string()),
});

export const Artefact = z.object({
  key: z.string(),
  sha256: z.string(),
  size: z.number(),
  versionId: z.string(),
});

/** Something of node or disks that could not be preserved, and why. */
export const NotPreserved = z.object({ what: z.string(), reason: z.string() });

/** What a Catch writes down when a state could not take its evidence. */
export const Missing = z.object({ state: z.string(), error: z.string(), cause: z.string() });
