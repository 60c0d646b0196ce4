import * as z from "zod";
import { Alert, CaseRef, Execution, list, Mode, Target, time } from "./pieces.ts";

const event = z
  .unknown()
  .describe("The event as it arrived; the source's raw body is the text inside it");

export const AlertRecord = z.strictObject({
  alert: Alert,
  target: Target,
  mode: Mode,
  reason: z.string().describe("Why it acts, or only audits"),
  execution: Execution,
  event,
});
export type AlertRecord = z.infer<typeof AlertRecord>;

export const CaseRecord = z.strictObject({
  case: CaseRef,
  target: Target,
  mode: Mode,
  openedAt: time("When the execution began that opened it"),
});
export type CaseRecord = z.infer<typeof CaseRecord>;

export const Proven = z.strictObject({
  uid: z.string().describe("The UID of what was found in the cluster"),
  containerIds: list(z.string()).describe("Of a pod, those that it runs or has just run"),
});
export type Proven = z.infer<typeof Proven>;

export const OpenMarker = z.strictObject({
  case: CaseRef,
  execution: Execution,
  target: Target,
  proven: Proven.optional().describe("What the target turned out to be; absent before that"),
});
export type OpenMarker = z.infer<typeof OpenMarker>;

export const Begun = z.strictObject({
  number: z.number().int().describe("Containments of the cluster are numbered from 1 on"),
  case: CaseRef,
  execution: Execution,
  target: Target,
});

export const Absorbed = z.strictObject({
  case: CaseRef,
  target: Target,
  why: z
    .enum(["sameTarget", "inNamespace"])
    .describe("It was about the very same target, or is about a pod in the contained namespace"),
});
export type Absorbed = z.infer<typeof Absorbed>;
/** How far a run came, each by the evidence that it leaves. */
export const STAGES = [
  "notOpened",
  "opened",
  "planned",
  "applied",
  "completed",
  "readBack",
  "sealed",
] as const;

export const FailureRecord = z.strictObject({
  caseId: z.string().describe("Id of the case, which an execution always arrives at"),
  execution: Execution,
  attempt: z.number().int().describe("How often the execution had been redriven before"),
  status: z.enum(["FAILED", "TIMED_OUT", "ABORTED"]).describe("How the attempt ended"),
  error: z.string().nullable().describe("Name of the error"),
  cause: z.string().nullable().describe("What it said"),
  endedAt: time("When the attempt ended").nullable(),
  redrivable: z.boolean().describe("Whether Step Functions would redrive it"),
  notRedrivable: z.string().nullable().describe("Why it would not"),
  standing: z
    .strictObject({
      reached: z.enum(STAGES).describe("The last stage whose evidence was there"),
      runId: z.string().nullable().describe("Id of the run; null before the case was opened"),
      target: Target.nullable(),
      mode: Mode.nullable(),
      verdict: z.string().nullable().describe("What was read back; null when nothing was"),
      done: z.string().describe("What is done, in a sentence"),
      open: z.string().nullable().describe("What is not, or not known; null when nothing is left"),
    })
    .describe("How the run stood when this was written, from the evidence alone"),
  recordedAt: time("When this was written"),
});
export type FailureRecord = z.infer<typeof FailureRecord>;

export const Ignored = z.strictObject({
  outcome: z.literal("ignored").describe("Nothing was done"),
  reason: z.string().describe("Why nothing was done"),
  alert: Alert.nullable().describe("Null when none could be read from the event"),
  execution: Execution,
  event,
});
export type Ignored = z.infer<typeof Ignored>;
