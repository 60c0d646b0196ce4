import { MetricUnit } from "@aws-lambda-powertools/metrics";
import * as z from "zod";
import { evidenceBucket, productVersion, stage } from "../adapters/environment.ts";
import { announcements, evidenceStore, now } from "../adapters/ports.ts";
import { recordRun } from "../core/evidence/record-run.ts";
import { notificationOf } from "../core/report/notification.ts";
import { Alert, Artefact, Brake, Case, Missing, Mode, NotPreserved, Target } from "./contract.ts";
import { metrics, state } from "./state.ts";

const ports = {
  store: evidenceStore(),
  announcements: announcements(),
  productVersion: productVersion(),
  now,
};

const where = { stage: stage(), bucket: evidenceBucket() };

const Input = z.object({
  case: Case,
  alert: Alert,
  target: Target,
  mode: Mode,
  reason: z.string(),
  brakes: z.array(Brake),
  verdict: z.enum([
    ...["contained", "partial", "notEnforceable", "unverified", "audited", "ignored", "joined"],
  ] as const),
  reasons: z.array(z.object({ code: z.string(), message: z.string() })),
  quarantinedAt: z.string().nullable(),
  artefacts: z.array(Artefact),
  missing: z.array(Missing),
  notPreserved: z.array(NotPreserved).default([]),
});

export const handler = state("RecordRun", Input, async (input, execution) => {
  const result = await recordRun({ ...input, execution }, ports);
  metrics.addMetric(`Run_${result.verdict}`, MetricUnit.Count, 1);
  for (const { brake } of result.brakes) metrics.addMetric(`Braked_${brake}`, MetricUnit.Count, 1);
  if (result.timeToContainMs !== null) {
    metrics.addMetric("TimeToContain", MetricUnit.Milliseconds, result.timeToContainMs);
  }
  return { result, notification: notificationOf(result, where) };
});
