import type * as z from "zod";
import { Conflict } from "../conflict.ts";
import { type KeyPattern, schemaOf } from "../keys.ts";
import { Manifest, RunRecord } from "../manifest.ts";
import { VersionsListing } from "../run-folder.ts";
import {
  Absorbed,
  AlertRecord,
  Begun,
  CaseRecord,
  FailureRecord,
  Ignored,
  OpenMarker,
} from "./case.ts";
import { AwsContextRecord, ContextRecord, CredentialsRecord, LogPage } from "./context.ts";
import { Drain, DrainPlan } from "./drain.ts";
import {
  NodeArtefact,
  Preservation,
  PreservationPlanArtefact,
  Snapshots,
  VolumesArtefact,
} from "./preservation.ts";
import { AppliedPolicy, Completion, Plan } from "./quarantine.ts";
import { Result } from "./result.ts";
import { Reapplication, VerdictRecord } from "./reverification.ts";
import { After, Authentication, Before, PodPage } from "./seen.ts";

export interface Published {
  /** What it is, in a sentence. */
  readonly is: string;
  readonly schema: z.ZodType;
  /** Name and version where they do not follow from the key. */
  readonly as?: string;
}

/** What is read under a prefix and not written under that name. */
type Prefix = "runs/*" | "cases/*/runs/*" | "cases/*/verdicts/*";
export type PublishedKey =
  | Exclude<KeyPattern, Prefix>
  | "runs/*/conflict-*.json"
  | "<run>.versions.json";

/** Every kind of object that is evidence, with its published schema: a line for each. */
export const ARTEFACTS: Readonly<Record<PublishedKey, Published>> = {
  "runs/*/alert.json": {
    is: "The alert that opened the case, and its raw event",
    schema: AlertRecord,
  },
  "runs/*/authentication.json": {
    is: "Which cluster, who we are in it, and what enforces policies there",
    schema: Authentication,
  },
  "runs/*/before.json": {
    is: "The target and all that selects it, before any change",
    schema: Before,
  },
  "runs/*/before-pods-*.json": { is: "A page of pods, part of before.json", schema: PodPage },
  "runs/*/plan.json": { is: "Every write and its undo, kept before the first write", schema: Plan },
  "runs/*/policy.json": { is: "What the first phase of the plan wrote", schema: AppliedPolicy },
  "runs/*/completion.json": { is: "What the later phases of the plan came to", schema: Completion },
  "runs/*/preservation-plan.json": {
    is: "Every protection of nodes and pods with its prior value and its undo, kept before the first",
    schema: PreservationPlanArtefact,
  },
  "runs/*/preservation.json": {
    is: "What became of each protection, and how well the nodes are kept",
    schema: Preservation,
  },
  "runs/*/node.json": { is: "The target's nodes, instances and volumes", schema: NodeArtefact },
  "runs/*/volumes.json": { is: "The snapshots of the volumes", schema: VolumesArtefact },
  "runs/*/context.json": {
    is: "What is gone soon: events, owners, permissions, nodes, and where the logs are",
    schema: ContextRecord,
  },
  "runs/*/logs-*.json": { is: "The last lines of a pod's logs", schema: LogPage },
  "runs/*/credentials.json": {
    is: "Which credentials the target can use, and who shares them",
    schema: CredentialsRecord,
  },
  "runs/*/aws-context.json": {
    is: "What CloudTrail, GuardDuty, IAM and the audit log know of the target",
    schema: AwsContextRecord,
  },
  "runs/*/snapshots.json": {
    is: "How far the snapshots had come when the run ended",
    schema: Snapshots,
  },
  "runs/*/after.json": { is: "What was read back, and the verdict on it", schema: After },
  "runs/*/after-pods-*.json": { is: "A page of pods, part of after.json", schema: PodPage },
  "runs/*/containment.json": { is: "The result of a run that acted", schema: Result },
  "runs/*/audit.json": { is: "The result of a run that only audited", schema: Result },
  "runs/*/drain-plan.json": {
    is: "Which pods leave the nodes of a case, which stay and why, kept before the first eviction",
    schema: DrainPlan,
  },
  "runs/*/drain.json": { is: "What became of each of these pods", schema: Drain },
  "runs/*/conflict-*.json": {
    is: "What a state that ran again would have written over what was there already",
    schema: Conflict,
  },
  "runs/*/manifest.json": {
    is: "Everything above, sealed: written last and once",
    schema: Manifest,
  },
  "cases/*/case.json": { is: "A case", schema: CaseRecord },
  "cases/*/alerts/*.json": {
    is: "A further alert about a target whose case is open",
    schema: AlertRecord,
    as: "eks-containment/joined-alert/1",
  },
  "cases/*/absorbed/*.json": {
    is: "Another open case that this one stands for, and why",
    schema: Absorbed,
    as: "eks-containment/absorbed/1",
  },
  "cases/*/runs/*.json": {
    is: "A run of the case that was sealed, with the hash and version of its manifest",
    schema: RunRecord,
    as: "eks-containment/run-record/1",
  },
  "cases/*/verdicts/*.json": {
    is: "What a later look at the open case came to; written down when something changed, and daily",
    schema: VerdictRecord,
    as: "eks-containment/later-verdict/1",
  },
  "cases/*/reapplications/*.json": {
    is: "What was written to put the quarantine of an open case back",
    schema: Reapplication,
    as: "eks-containment/reapplication/1",
  },
  "cases/*/failures/*.json": {
    is: "An attempt of the case's execution that failed, timed out or was aborted, and how the run stood",
    schema: FailureRecord,
    as: "eks-containment/failure/1",
  },
  "open/*": {
    is: "A marker of a target whose case is open; the only thing that is ever deleted",
    schema: OpenMarker,
    as: "eks-containment/open-case/1",
  },
  "brakes/*": {
    is: "A new containment, counted for the circuit breaker of its cluster",
    schema: Begun,
    as: "eks-containment/begun/1",
  },
  "ignored/*": {
    is: "An event that was understood and refused",
    schema: Ignored,
    as: "eks-containment/ignored/1",
  },
  "<run>.versions.json": {
    is: "What only the bucket knows of a run, beside a downloaded copy of it",
    schema: VersionsListing,
    as: "eks-containment/versions/1",
  },
};

/** Name and version of the schema of what lies at keys of this pattern. */
export function schemaIdOf(key: PublishedKey): string {
  const last = key.split("/").at(-1) ?? key;
  return ARTEFACTS[key].as ?? schemaOf(last.replace("*", "1"));
}
