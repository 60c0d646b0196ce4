import { MetricUnit } from "@aws-lambda-powertools/metrics";
import * as z from "zod";
import { driftSettings, evidenceBucket, stage } from "../adapters/environment.ts";
import { connect, evidenceStore, now } from "../adapters/ports.ts";
import { driftNotificationOf } from "../core/report/drift-notification.ts";
import { MENDING } from "../core/reverify/mend.ts";
import { reverifyCase } from "../core/reverify/reverify-case.ts";
import { Cluster } from "./contract.ts";
import { metrics, state } from "./state.ts";

const ports = { store: evidenceStore(), settings: driftSettings(), now };
const where = { stage: stage(), bucket: evidenceBucket() };

const Input = z.object({
  marker: z.string(),
  cluster: Cluster,
  mend: z.enum(MENDING),
  reapplied: z.object({ number: z.number(), error: z.string().nullable() }).nullable(),
  attempt: z.number(),
});

export const handler = state("ReverifyCase", Input, async (input, execution) => {
  const look = await reverifyCase(
    { ...input, execution },
    { ...ports, kubernetes: connect(input.cluster) },
  );
  if (!("record" in look)) return { looked: look.looked, mayReapply: null, notification: null };
  metrics.addMetric("ContainmentDrift", MetricUnit.Count, look.record.drift.length > 0 ? 1 : 0);
  return {
    looked: look.looked,
    mayReapply: look.mayReapply,
    notification: driftNotificationOf(look, where),
  };
});
