import * as z from "zod";
import { connect, evidenceStore, now } from "../adapters/ports.ts";
import { completePolicy } from "../core/quarantine/complete-policy.ts";
import { Case, Cluster, KillSwitch } from "./contract.ts";
import { state } from "./state.ts";

const store = evidenceStore();

const CarriedOut = z.object({
  action: z.enum(["patch", "create", "delete"]),
  kind: z.string(),
  namespace: z.string().nullable(),
  name: z.string(),
  uid: z.string().nullable(),
  outcome: z.enum(["done", "absent"]),
});

/** What the last look came to; null before the first one. */
const Progress = z.object({
  phase: z.number(),
  since: z.string(),
  settling: z.boolean(),
  completed: z.array(
    z.object({
      phase: z.number(),
      conditionMet: z.boolean(),
      waitedFor: z.string(),
      endedAt: z.string(),
      carriedOut: z.array(CarriedOut),
    }),
  ),
});

const Input = z.object({
  case: Case,
  cluster: Cluster,
  progress: Progress.nullable(),
  killSwitch: KillSwitch,
});

export const handler = state("CompletePolicy", Input, (input) =>
  completePolicy(input, { kubernetes: connect(input.cluster), store, now }),
);
