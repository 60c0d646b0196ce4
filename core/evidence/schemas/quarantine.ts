import * as z from "zod";
import type { JsonPatch } from "../../kubernetes.ts";
import type { Denial } from "../../policies.ts";
import { ORDERS } from "../../quarantine/settings.ts";
import {
  CarriedOut,
  kubernetesObject,
  Labels,
  list,
  Mode,
  Network,
  names,
  ProvenTarget,
  time,
} from "./pieces.ts";

const ObjectRef = z.strictObject({
  apiVersion: z.string(),
  kind: z.string(),
  namespace: z.string().nullable(),
  name: z.string(),
  uid: z.string().describe("The object with this UID, and no other of its name"),
});
const patch = z
  .custom<JsonPatch>((value) => Array.isArray(value))
  .meta({ type: "array", description: "JSON Patch (RFC 6902), as it is sent" });
const patchOf = z.strictObject({ action: z.literal("patch"), object: ObjectRef, patch });
const denial = kubernetesObject<Denial>("a policy of the case's own");

const Step = z.strictObject({
  why: z.string(),
  write: z
    .discriminatedUnion("action", [
      patchOf,
      z.strictObject({ action: z.literal("create"), object: denial }),
      z.strictObject({ action: z.literal("delete"), object: denial }),
    ])
    .describe("The write, exactly as it is sent"),
  undo: z
    .discriminatedUnion("action", [
      patchOf,
      z.strictObject({
        action: z.literal("delete"),
        ...{ kind: z.string(), namespace: z.string().nullable(), name: z.string() },
      }),
      z.strictObject({ action: z.literal("none"), why: z.string() }),
    ])
    .describe("How it is undone"),
});

export const Plan = z.strictObject({
  caseId: z.string(),
  mode: Mode,
  target: ProvenTarget,
  plannedAt: time("When it was made"),
  network: Network,
  order: z.enum(ORDERS).nullable().describe("Null where it makes no difference"),
  phases: list(
    z.strictObject({
      after: z
        .discriminatedUnion("until", [
          z.strictObject({ until: z.literal("siblingsGone"), identifier: z.string() }),
          z.strictObject({ until: z.literal("suspended"), policies: list(z.string()) }),
          z.strictObject({
            until: z.literal("endpointsGone"),
            ...{ policy: z.string(), namespace: z.string().nullable() },
          }),
        ])
        .nullable()
        .describe("What must have come about before; null: at once"),
      otherwise: z.enum(["carryOut", "skip"]).describe("What is done when that did not come"),
      steps: list(Step),
    }),
  ).describe("Every write that will be made, in order"),
  affected: z
    .strictObject({
      workload: z.string().nullable(),
      services: names("Services that no longer send to the pod"),
      podDisruptionBudgets: names("Budgets that select the pod"),
      horizontalPodAutoscalers: names("Autoscalers of its workload"),
      siblings: names("Pods that share its identifier on the AWS VPC CNI"),
      unknown: names("What was not looked at"),
    })
    .nullable()
    .describe("What is touched besides the target"),
  notes: list(z.strictObject({ code: z.string(), message: z.string() })),
  before: z
    .strictObject({
      selected: z.strictObject({ networkPolicy: z.boolean(), clusterNetworkPolicy: z.boolean() }),
      allowing: names("Policies that allowed the target anything"),
      labels: Labels.describe("What the pod bore"),
    })
    .describe("How the target stood when the plan was made"),
});
export type Plan = z.infer<typeof Plan>;

export const AppliedPolicy = z.strictObject({
  caseId: z.string(),
  quarantinedAt: time("When the last write of the first phase was answered"),
  applied: list(CarriedOut).describe("What was written"),
});
export type AppliedPolicy = z.infer<typeof AppliedPolicy>;

export const Completion = z.strictObject({
  caseId: z.string(),
  phases: list(
    z.strictObject({
      phase: z.number().describe("Index in the plan"),
      conditionMet: z.boolean(),
      waitedFor: z.string(),
      endedAt: time("When it ended"),
      carriedOut: list(CarriedOut),
    }),
  ).describe("What the later phases of the plan came to"),
});
export type Completion = z.infer<typeof Completion>;
