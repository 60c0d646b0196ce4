import * as z from "zod";
import { CarriedOut, CaseRef, Execution, list, Network, Reason, time } from "./pieces.ts";

const Finding = z.strictObject({
  code: z.string().describe("A code of docs/verdicts.md"),
  message: z.string().describe("The code in words, with names"),
});

export const VerdictRecord = z.strictObject({
  case: CaseRef,
  number: z.number().int().positive().describe("1 for the first look that was written down"),
  judgedAt: time("When it was read back"),
  execution: Execution,
  why: z
    .enum(["first", "changed", "daily", "reapplied"])
    .describe("Why this look was written down: looks that see nothing new are not, but once a day"),
  verdict: z
    .enum(["contained", "partial", "notEnforceable", "unverified"])
    .describe("What holds; `unverified`: it could not be looked at"),
  reasons: list(Reason).describe("Why the verdict is not `contained`"),
  findings: list(Finding).describe("What changed around the target and lets no packet pass"),
  drift: list(Reason).describe(
    "Those of the reasons and findings that the run's own verdict did not have",
  ),
  news: z.enum(["drifted", "holds"]).nullable().describe("What people were told; null: nothing"),
  network: Network.nullable().describe("What enforces policies; null when it could not be read"),
  agent: z
    .string()
    .nullable()
    .describe("UID of the CNI's agent on the pod's node; null when not known"),
  reapplications: z
    .number()
    .int()
    .nonnegative()
    .describe("How often the quarantine was put back in this case until now"),
  reapplied: z
    .strictObject({
      number: z.number().int().positive().describe("The first, second, … of the case"),
      error: z.string().nullable().describe("Why it could not be; null when it was put back"),
    })
    .nullable()
    .describe("What was put back just before this look"),
});
export type VerdictRecord = z.infer<typeof VerdictRecord>;

export const Reapplication = z.strictObject({
  case: CaseRef,
  number: z.number().int().positive().describe("1 for the first of the case"),
  execution: Execution,
  reappliedAt: time("When the last write was answered"),
  carriedOut: list(CarriedOut).describe("What was written, of the run's own plan"),
});
export type Reapplication = z.infer<typeof Reapplication>;
