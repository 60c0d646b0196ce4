import { TRIAGE_NEEDS } from "../core/alert/triage.ts";
import { ADMIT_CASE_NEEDS } from "../core/brakes/admit-case.ts";
import { RECORD_IGNORED_NEEDS } from "../core/case/case.ts";
import { RECORD_FAILURE_NEEDS } from "../core/case/record-failure.ts";
import { AUTHENTICATE_NEEDS } from "../core/cluster/authenticate.ts";
import { CAPTURE_CONTEXT_NEEDS } from "../core/context/capture-context.ts";
import { RECORD_CONTEXT_NEEDS } from "../core/context/record-context.ts";
import { PREVIEW_CREDENTIALS_NEEDS } from "../core/credentials/preview-credentials.ts";
import { RECORD_RUN_NEEDS } from "../core/evidence/record-run.ts";
import type { Needs } from "../core/needs.ts";
import { DRAIN_NODE_NEEDS } from "../core/node/drain-node.ts";
import { FOLLOW_SNAPSHOTS_NEEDS } from "../core/node/follow-snapshots.ts";
import { PRESERVE_NODE_NEEDS } from "../core/node/preserve-node.ts";
import { RECORD_DRAIN_NEEDS } from "../core/node/record-drain.ts";
import { SNAPSHOT_NODE_EBS_NEEDS } from "../core/node/snapshot-node-ebs.ts";
import { APPLY_POLICY_NEEDS } from "../core/quarantine/apply-policy.ts";
import { COMPLETE_POLICY_NEEDS } from "../core/quarantine/complete-policy.ts";
import { SNAPSHOT_AFTER_NEEDS } from "../core/quarantine/snapshot-after.ts";
import { LIST_OPEN_CASES_NEEDS } from "../core/reverify/list-open-cases.ts";
import { REAPPLY_POLICY_NEEDS } from "../core/reverify/reapply-policy.ts";
import { REVERIFY_CASE_NEEDS } from "../core/reverify/reverify-case.ts";
import { SNAPSHOT_BEFORE_NEEDS } from "../core/target/snapshot-before.ts";
import type { StateName } from "./contract.ts";

/** What each state declares that it needs, beside the function that does its work. */
export const NEEDS = {
  Triage: TRIAGE_NEEDS,
  RecordIgnored: RECORD_IGNORED_NEEDS,
  OpenCase: ADMIT_CASE_NEEDS,
  Authenticate: AUTHENTICATE_NEEDS,
  SnapshotBefore: SNAPSHOT_BEFORE_NEEDS,
  ApplyPolicy: APPLY_POLICY_NEEDS,
  CompletePolicy: COMPLETE_POLICY_NEEDS,
  PreserveNode: PRESERVE_NODE_NEEDS,
  SnapshotNodeEbs: SNAPSHOT_NODE_EBS_NEEDS,
  CaptureContext: CAPTURE_CONTEXT_NEEDS,
  PreviewCredentials: PREVIEW_CREDENTIALS_NEEDS,
  RecordContext: RECORD_CONTEXT_NEEDS,
  FollowSnapshots: FOLLOW_SNAPSHOTS_NEEDS,
  SnapshotAfter: SNAPSHOT_AFTER_NEEDS,
  RecordRun: RECORD_RUN_NEEDS,
  ListOpenCases: LIST_OPEN_CASES_NEEDS,
  ReverifyCase: REVERIFY_CASE_NEEDS,
  ReapplyPolicy: REAPPLY_POLICY_NEEDS,
  DrainNode: DRAIN_NODE_NEEDS,
  RecordDrain: RECORD_DRAIN_NEEDS,
  RecordFailure: RECORD_FAILURE_NEEDS,
} as const satisfies Readonly<Record<StateName, Needs>>;

/** The states that talk to the cluster. */
export type ClusterState = {
  [State in StateName]: (typeof NEEDS)[State] extends { readonly kubernetes: unknown }
    ? State
    : never;
}[StateName];
