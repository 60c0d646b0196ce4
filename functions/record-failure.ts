import * as z from "zod";
import { stage } from "../adapters/environment.ts";
import { evidenceStore, now } from "../adapters/ports.ts";
import { recordFailure } from "../core/case/record-failure.ts";
import { failureNotificationOf } from "../core/report/failure-notification.ts";
import { state } from "./state.ts";

const ports = { store: evidenceStore(), now };
const where = { stage: stage() };

const time = z.number().transform((milliseconds) => new Date(milliseconds).toISOString());

/** The detail of a status-change event, as far as it is needed. Times are milliseconds since 1970. */
const Input = z.object({
  executionArn: z.string(),
  name: z.string(),
  status: z.enum(["FAILED", "TIMED_OUT", "ABORTED"]),
  startDate: time,
  stopDate: time.nullish(),
  error: z.string().nullish(),
  cause: z.string().nullish(),
  redriveCount: z.number().default(0),
  redriveStatus: z.string().nullish(),
  redriveStatusReason: z.string().nullish(),
});

export const handler = state("RecordFailure", Input, async (input) => {
  const record = await recordFailure(
    {
      execution: { arn: input.executionArn, name: input.name, startedAt: input.startDate },
      attempt: input.redriveCount,
      status: input.status,
      error: input.error ?? null,
      cause: input.cause ?? null,
      endedAt: input.stopDate ?? null,
      redrivable: input.redriveStatus !== "NOT_REDRIVABLE",
      notRedrivable: input.redriveStatusReason ?? null,
    },
    ports,
  );
  return { case: record.caseId, notification: failureNotificationOf(record, where) };
});
