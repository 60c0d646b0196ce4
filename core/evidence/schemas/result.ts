import * as z from "zod";
import { Missing } from "../manifest.ts";
import { Alert, Brake, CaseRef, Execution, list, Mode, Reason, Target, time } from "./pieces.ts";

export const Result = z.strictObject({
  case: CaseRef,
  execution: Execution,
  alert: Alert,
  target: Target,
  mode: Mode,
  reason: z.string().describe("Why the run acted, or only audited"),
  brakes: list(Brake).describe("What held writes back: all of them where the mode is audit"),
  verdict: z
    .enum(["contained", "partial", "notEnforceable", "unverified", "audited", "ignored", "joined"])
    .describe("How the run ended; docs/verdicts.md explains it"),
  reasons: list(Reason).describe("Why the verdict is not `contained`"),
  quarantinedAt: time("When the last write of the quarantine was answered").nullable(),
  timeToContainMs: z
    .number()
    .nullable()
    .describe("From the sensor's clock to `quarantinedAt`; null unless contained"),
  notPreserved: list(
    z.strictObject({
      what: z.string().describe("A node, pod, instance, volume, claim, snapshot or setting"),
      reason: z.string().describe("Why not"),
    }),
  ).describe("What could not be preserved; more may lie in preservation.json and snapshots.json"),
  missing: list(Missing).describe("Evidence that a state could not take"),
});
export type Result = z.infer<typeof Result>;
