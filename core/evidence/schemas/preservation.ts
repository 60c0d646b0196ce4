import * as z from "zod";
import { list, Mode, names, Target, time } from "./pieces.ts";
import { ObjectRef, patchOf } from "./quarantine.ts";

const notPreserved = list(
  z.strictObject({
    what: z.string().describe("A node, pod, instance, volume, claim, snapshot or setting"),
    reason: z.string().describe("Why not"),
  }),
).describe("What could not be preserved, and why");

const nothingToUndo = z.strictObject({
  action: z.literal("none").describe("How it is undone"),
  why: z.string().describe("Why there is nothing to undo"),
});
const fields = z.strictObject({
  unschedulable: z.boolean().exactOptional().describe("Left out: not touched"),
  annotations: z
    .record(z.string(), z.string().nullable())
    .describe("Null: the annotation is not there"),
});
const why = z.string().describe("What it is for");

const ObjectStep = z.strictObject({
  protection: z
    .enum(["cordon", "keepNode", "keepPod"])
    .describe("`cordon`, or an annotation that keeps autoscalers from the node or pod"),
  why,
  object: ObjectRef.describe("The node or pod"),
  set: fields.describe("What is set"),
  before: fields.describe("What was there before"),
  undo: z.discriminatedUnion("action", [patchOf, nothingToUndo]).describe("How it is undone"),
});
const InstanceStep = z.strictObject({
  protection: z.enum(["scaleIn", "termination"]).describe("By its Auto Scaling group, or by EC2"),
  why,
  instanceId: z.string().describe("The EC2 instance"),
  group: z.string().nullable().describe("The Auto Scaling group; null for termination"),
  before: z.boolean().describe("Whether it was protected before"),
  undo: z
    .discriminatedUnion("action", [
      z.strictObject({
        action: z.literal("setProtection").describe("How it is undone"),
        to: z.literal(false).describe("What it was before"),
      }),
      nothingToUndo,
    ])
    .describe("How it is undone"),
});

export const PreservationPlanArtefact = z.strictObject({
  caseId: z.string().describe("Id of the case"),
  mode: Mode,
  target: Target,
  plannedAt: time("When it was made"),
  settings: z
    .strictObject({
      cordon: z.boolean().describe("Nodes are cordoned"),
      protect: z.boolean().describe("Nodes, pods and instances are protected"),
    })
    .describe("What the stage's settings say"),
  steps: list(z.union([ObjectStep, InstanceStep])).describe("Every protection, in order"),
  notPreserved,
});
export type PreservationPlanArtefact = z.infer<typeof PreservationPlanArtefact>;

export const Preservation = z.strictObject({
  caseId: z.string().describe("Id of the case"),
  preservedAt: time("When the last protection was given"),
  verdict: z
    .enum(["preserved", "partial", "notPreserved", "audited"])
    .describe("How well the nodes are kept alive"),
  notPreserved,
  results: list(
    z.strictObject({
      protection: z
        .enum(["cordon", "keepNode", "keepPod", "scaleIn", "termination"])
        .describe("As in the plan"),
      of: z.string().describe("The node, pod or instance"),
      outcome: z.enum(["done", "alreadySo", "couldNot"]).describe("What became of it"),
      reason: z.string().nullable().describe("Null unless it could not be given"),
    }),
  ).describe("What became of each protection"),
});
export type Preservation = z.infer<typeof Preservation>;

export const NodeArtefact = z.strictObject({
  capturedAt: time("When it was read"),
  nodes: list(
    z.strictObject({
      node: z.string().describe("Name of the node"),
      instanceId: z.string().nullable().describe("Null where no EC2 instance is behind it"),
      pods: names("Pods of the target on it"),
      volumeIds: names("EBS volumes that are attached to it"),
    }),
  ).describe("The nodes under the target"),
  claims: list(
    z.strictObject({
      pod: z.string().describe("The pod"),
      claim: z.string().describe("Its PersistentVolumeClaim"),
      volumeId: z.string().describe("The EBS volume"),
    }),
  ).describe("EBS volumes behind the pods' claims"),
});
export type NodeArtefact = z.infer<typeof NodeArtefact>;

const snapshot = {
  snapshotId: z.string().describe("The EBS snapshot"),
  volumeId: z.string().describe("The volume that it is of"),
  state: z.string().describe("As EC2 said: pending, completed, error, recoverable or recovering"),
  kmsKeyId: z.string().nullable().describe("Key that encrypts it; null: not encrypted"),
  forensicCopy: z
    .string()
    .nullable()
    .describe("Whether it was shared with the forensic account, as its tag says; null: not yet"),
};
const locks = list(
  z.strictObject({
    snapshotId: z.string().describe("The EBS snapshot"),
    state: z.string().describe("governance, compliance or compliance-cooloff"),
    expiresAt: time("When it ends; null while the snapshot is pending").nullable(),
  }),
).describe("Locks, as EC2 said");

export const VolumesArtefact = z.strictObject({
  capturedAt: time("When the snapshots had been asked for"),
  mode: Mode,
  volumeIds: names("Every volume under the target"),
  snapshots: list(z.strictObject(snapshot)).describe("Snapshots that carry the case's tag"),
  locks,
  forensicCopy: z
    .strictObject({
      accountId: z.string().describe("The forensic account"),
      region: z.string().describe("Its region"),
      askedFor: names("Snapshots of which a copy was asked for; whether there is one, it knows"),
    })
    .nullable()
    .describe("Null: the settings name no such account, or nothing could be asked for"),
  notPreserved,
});
export type VolumesArtefact = z.infer<typeof VolumesArtefact>;

export const Snapshots = z.strictObject({
  capturedAt: time("When they were last looked at"),
  followedSince: time("When they were first looked at"),
  snapshots: list(
    z.strictObject({
      ...snapshot,
      sharing: z.string().describe("Whether another account can be given it"),
    }),
  ).describe("The case's snapshots"),
  locks,
  notPreserved,
});
export type Snapshots = z.infer<typeof Snapshots>;
