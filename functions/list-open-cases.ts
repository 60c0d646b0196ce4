import { MetricUnit } from "@aws-lambda-powertools/metrics";
import * as z from "zod";
import { cluster } from "../adapters/environment.ts";
import { clusters, evidenceStore } from "../adapters/ports.ts";
import { OPEN_CASES_PREFIX } from "../core/evidence/keys.ts";
import { listOpenCases } from "../core/reverify/list-open-cases.ts";
import { metrics, state } from "./state.ts";

const ports = { store: evidenceStore(), clusters: clusters(), clusterName: cluster().name };

/** What was asked for by hand; null when the schedule asks for all. */
const Request = z.object({ markers: z.array(z.string().startsWith(OPEN_CASES_PREFIX)) });

const Input = z.object({
  pass: z.object({
    after: z.string().nullable(),
    listed: z.number(),
    notVerified: z.number(),
  }),
  request: Request.nullable(),
});

export const handler = state("ListOpenCases", Input, async ({ pass, request }) => {
  const page = await listOpenCases({ pass, only: request?.markers ?? null }, ports);
  if (page.markers.length === 0 && request === null) {
    metrics.addMetric("OpenCases", MetricUnit.Count, pass.listed);
    const notVerified = pass.notVerified + (page.tooMany ? 1 : 0);
    metrics.addMetric("CasesNotVerified", MetricUnit.Count, notVerified);
  }
  return page;
});
