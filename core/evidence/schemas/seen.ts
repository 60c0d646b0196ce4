import * as z from "zod";
import {
  ArtefactRef,
  Endpoint,
  Labels,
  list,
  Mode,
  Namespace,
  Network,
  names,
  Pod,
  Policies,
  Reason,
  Target,
  time,
} from "./pieces.ts";
import { Completion } from "./quarantine.ts";

export const Authentication = z.strictObject({
  authenticatedAt: time("When"),
  cluster: z.strictObject({ name: z.string(), endpoint: z.string() }),
  identity: z
    .strictObject({ username: z.string(), groups: names("Its groups") })
    .describe("Who the API server says we are"),
  permissions: list(
    z.strictObject({
      verb: z.string(),
      group: z.string().describe("API group; empty for the core group"),
      resource: z.string(),
      namespace: z.string().optional(),
      name: z.string().optional(),
    }),
  ).describe("Every right that the plan can need; the API server granted all"),
  network: Network,
});
export type Authentication = z.infer<typeof Authentication>;

const podPages = list(ArtefactRef).describe(
  "Pages of pods that are part of this, with their hashes",
);

export const Before = z.strictObject({
  capturedAt: time("When it was read"),
  target: Target,
  namespace: Namespace,
  policies: Policies,
  pods: list(Pod).describe("The pod, where a pod is the target and is there"),
  podPages,
});
export type Before = z.infer<typeof Before>;

export const PodPage = list(Pod).describe("Up to a hundred pods of a contained namespace");

const SeenPod = z.strictObject({
  namespace: z.string(),
  name: z.string(),
  labels: Labels,
  ips: names("Its addresses; empty when not known"),
  ports: list(
    z.strictObject({
      name: z.string().optional(),
      containerPort: z.number(),
      protocol: z.string().optional(),
    }),
  ),
  hostNetwork: z.boolean(),
  serviceAccountName: z.string().optional(),
  node: z.string().optional(),
  uid: z.string(),
  ended: z.boolean().describe("Succeeded or failed: it has no network any more"),
  fargate: z.boolean(),
  windows: z.boolean(),
  otherNetworks: z.boolean().describe("Multus gave it further interfaces"),
});

export const After = z.strictObject({
  capturedAt: time("When it was read back"),
  notProven: names("What no verdict speaks of"),
  judged: z
    .strictObject({
      verdict: z.enum(["contained", "partial", "notEnforceable"]),
      reasons: list(Reason),
    })
    .describe("The verdict, from what was read back"),
  compared: z
    .strictObject({
      allowedBefore: names("Policies that allowed the target anything before"),
      allowsNow: names("Policies that do now"),
    })
    .describe("What was open, beside what is"),
  observed: z
    .strictObject({
      namespaceLabels: Labels,
      pods: list(SeenPod).describe("The target, and pods that share its identifier"),
      policies: Policies,
      endpoints: list(Endpoint).nullable().describe("What the AWS VPC CNI's controller resolved"),
      completion: Completion.nullable(),
    })
    .describe("The namespace as it was read back"),
  podPages,
});
export type After = z.infer<typeof After>;

export const NodeArtefact = z.strictObject({
  capturedAt: time("When it was read"),
  nodes: list(
    z.strictObject({
      node: z.string(),
      instanceId: z.string().nullable().describe("Null where no EC2 instance is behind it"),
      pods: names("Pods of the target on it"),
      volumeIds: names("EBS volumes that are attached to it"),
    }),
  ),
  claims: list(
    z.strictObject({ pod: z.string(), claim: z.string(), volumeId: z.string() }),
  ).describe("EBS volumes behind the pods' claims"),
});
export type NodeArtefact = z.infer<typeof NodeArtefact>;

export const VolumesArtefact = z.strictObject({
  capturedAt: time("When the snapshots had been asked for"),
  mode: Mode,
  volumeIds: names("Every volume under the target"),
  snapshots: list(
    z.strictObject({ snapshotId: z.string(), volumeId: z.string(), state: z.string() }),
  ).describe("Snapshots that carry the case's tag"),
  notPreserved: list(z.strictObject({ what: z.string(), reason: z.string() })).describe(
    "What could not be preserved, and why",
  ),
});
export type VolumesArtefact = z.infer<typeof VolumesArtefact>;
