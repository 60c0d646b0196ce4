import * as z from "zod";
import type { Service } from "../../kubernetes.ts";
import type { RecordedObject } from "../../kubernetes-context.ts";
import { firstPage, MissingSources } from "./context.ts";
import {
  ArtefactRef,
  Endpoint,
  Labels,
  list,
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
  cluster: z
    .strictObject({
      name: z.string().describe("Its name"),
      endpoint: z.string().describe("URL of its API server"),
    })
    .describe("The cluster"),
  identity: z
    .strictObject({ username: z.string().describe("Its name"), groups: names("Its groups") })
    .describe("Who the API server says we are"),
  permissions: list(
    z.strictObject({
      verb: z.string().describe("What may be done"),
      group: z.string().describe("API group; empty for the core group"),
      resource: z.string().describe("To what, by its plural name"),
      namespace: z.string().optional().describe("Left out: in all, or of a kind that lies in none"),
      name: z.string().optional().describe("Left out: whatever its name"),
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
  policies: Policies.nullable(),
  pods: list(Pod).describe("The pod, where a pod is the target and is there"),
  services: firstPage<Service>("a Service").describe("Services that select the pod, or all"),
  endpointSlices: firstPage<RecordedObject>("an EndpointSlice").describe(
    "Those that send to the pod, or all",
  ),
  podPages,
  missing: MissingSources,
});
export type Before = z.infer<typeof Before>;

export const PodPage = list(Pod).describe("Up to a hundred pods of a contained namespace");

const SeenPod = z.strictObject({
  namespace: z.string().describe("Its namespace"),
  name: z.string().describe("Its name"),
  labels: Labels.describe("Its labels"),
  ips: names("Its addresses; empty when not known"),
  ports: list(
    z.strictObject({
      name: z.string().optional().describe("Its name"),
      containerPort: z.number().describe("Its number"),
      protocol: z.string().optional().describe("Left out: TCP"),
    }),
  ).describe("Ports of its containers"),
  hostNetwork: z.boolean().describe("On the network of its node"),
  serviceAccountName: z.string().optional().describe("Its service account"),
  node: z.string().optional().describe("Its node; left out when not known"),
  uid: z.string().describe("Its UID"),
  ended: z.boolean().describe("Succeeded or failed: it has no network any more"),
  fargate: z.boolean().describe("On Fargate"),
  windows: z.boolean().describe("On Windows"),
  otherNetworks: z.boolean().describe("Multus gave it further interfaces"),
});

export const After = z.strictObject({
  capturedAt: time("When it was read back"),
  notProven: names("What no verdict speaks of"),
  judged: z
    .strictObject({
      verdict: z
        .enum(["contained", "partial", "notEnforceable"])
        .describe("What holds; docs/verdicts.md explains it"),
      reasons: list(Reason).describe("Why it is not `contained`"),
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
      namespaceLabels: Labels.describe("Labels of the namespace"),
      pods: list(SeenPod).describe("The target, and pods that share its identifier"),
      policies: Policies,
      endpoints: list(Endpoint).nullable().describe("What the AWS VPC CNI's controller resolved"),
      completion: Completion.nullable().describe("completion.json, if there is one"),
    })
    .describe("The namespace as it was read back"),
  podPages,
});
export type After = z.infer<typeof After>;
