import * as z from "zod";
import type { JsonPatch } from "../../kubernetes.ts";
import type { Denial } from "../../policies.ts";
import { ORDERS } from "../../quarantine/settings.ts";
import {
  Brake,
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

export const ObjectRef = z.strictObject({
  apiVersion: z.string().describe("Its API group and version"),
  kind: z.string().describe("Its kind"),
  namespace: z.string().nullable().describe("Null for kinds that lie in none"),
  name: z.string().describe("Its name"),
  uid: z.string().describe("The object with this UID, and no other of its name"),
});
const patch = z
  .custom<JsonPatch>((value) => Array.isArray(value))
  .meta({ type: "array", description: "JSON Patch (RFC 6902), as it is sent" });
export const patchOf = z.strictObject({
  action: z.literal("patch").describe("What is done"),
  object: ObjectRef.describe("The object that it is done to"),
  patch,
});
const denial = kubernetesObject<Denial>("a policy of the case's own");

const Step = z.strictObject({
  why: z.string().describe("What it is for"),
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
        kind: z.string().describe("Its kind"),
        namespace: z.string().nullable().describe("Null for kinds that lie in none"),
        name: z.string().describe("Its name"),
      }),
      z.strictObject({
        action: z.literal("none"),
        why: z.string().describe("Why there is nothing to undo"),
      }),
    ])
    .describe("How it is undone"),
});

const Before = z.strictObject({
  selected: z
    .strictObject({
      networkPolicy: z.boolean().describe("By a NetworkPolicy"),
      clusterNetworkPolicy: z.boolean().describe("By a ClusterNetworkPolicy"),
    })
    .describe("Whether a policy selected the pod, or one that shares its identifier"),
  allowing: names("Policies that allowed the target anything"),
  labels: Labels.describe("What the pod bore"),
});

export const Plan = z.strictObject({
  caseId: z.string().describe("Id of the case"),
  mode: Mode,
  brakes: list(Brake).describe("What made an audit of a containment before anything was written"),
  target: ProvenTarget,
  plannedAt: time("When it was made"),
  network: Network,
  order: z.enum(ORDERS).nullable().describe("Null where it makes no difference"),
  phases: list(
    z.strictObject({
      after: z
        .discriminatedUnion("until", [
          z.strictObject({
            until: z.literal("siblingsGone").describe("What is waited for"),
            identifier: z.string().describe("No other pod has this identifier"),
          }),
          z.strictObject({
            until: z.literal("suspended"),
            policies: names("These policies select no pod any more"),
          }),
          z.strictObject({
            until: z.literal("endpointsGone"),
            policy: z
              .string()
              .describe("The controller has taken back what it resolved of this policy"),
            namespace: z.string().nullable().describe("Null for a cluster-scoped policy"),
          }),
        ])
        .nullable()
        .describe("What must have come about before; null: at once"),
      otherwise: z.enum(["carryOut", "skip"]).describe("What is done when that did not come"),
      steps: list(Step).describe("Its writes, in order"),
    }),
  ).describe("Every write that will be made, in order"),
  affected: z
    .strictObject({
      workload: z.string().nullable().describe("The controller of the pod"),
      services: names("Services that no longer send to the pod"),
      podDisruptionBudgets: names("Budgets that select the pod"),
      horizontalPodAutoscalers: names("Autoscalers of its workload"),
      siblings: names("Pods that share its identifier on the AWS VPC CNI"),
      unknown: names("What was not looked at"),
    })
    .nullable()
    .describe("What is touched besides the target"),
  notes: list(
    z.strictObject({
      code: z.string().describe("What it is about"),
      message: z.string().describe("In words"),
    }),
  ).describe("What a reader should know before agreeing to the plan"),
  before: Before.describe("How the target stood when the plan was made"),
});
export type Plan = z.infer<typeof Plan>;

export const AppliedPolicy = z.strictObject({
  caseId: z.string().describe("Id of the case"),
  quarantinedAt: time("When the last write of the first phase was answered"),
  applied: list(CarriedOut).describe("What was written"),
  before: Before.optional().describe(
    "How the target stood right before the first write, where an earlier attempt had kept the plan over a minute before and written nothing",
  ),
});
export type AppliedPolicy = z.infer<typeof AppliedPolicy>;

export const Completion = z.strictObject({
  caseId: z.string().describe("Id of the case"),
  phases: list(
    z.strictObject({
      phase: z.number().describe("Index in the plan"),
      conditionMet: z.boolean().describe("False: the bound passed before it came"),
      waitedFor: z.string().describe("What the phase waited for, in words"),
      endedAt: time("When it ended"),
      carriedOut: list(CarriedOut).describe("What was written"),
    }),
  ).describe("What the later phases of the plan came to"),
  braked: Brake.nullable().describe("What held the phases back that are not in the list"),
});
export type Completion = z.infer<typeof Completion>;
