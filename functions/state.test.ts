import { expect, test, vi } from "vitest";
import * as z from "zod";
import { logger, metrics, state } from "./state.ts";

const EVENT = {
  execution: { arn: "arn:aws:states:::execution:contain:a", name: "a", startedAt: "2026-11-28" },
  input: {},
};

test("a function out of time gives no answer of its own: Lambda ends its process, work and all", async () => {
  logger.setLogLevel("SILENT");
  vi.spyOn(metrics, "publishStoredMetrics").mockReturnValue(metrics);
  const handler = state("Triage", z.unknown(), async () => {
    await new Promise((resolve) => setTimeout(resolve, 60));
    return "done";
  });
  const context = { getRemainingTimeInMillis: () => 20 };

  expect(await handler(EVENT, context as Parameters<typeof handler>[1])).toBe("done");
});
