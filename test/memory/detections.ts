import type { Alert } from "../../core/alert/alert.ts";
import type { Target } from "../../core/target/target.ts";

const ALERT: Alert = {
  ...{ source: "falco", id: "1", rule: "Terminal shell in container", severity: "low" },
  detectedAt: "2026-11-22T17:55:00.000Z",
};

/** What OpenCase is given: an alert about a target that shall be contained, by an execution. */
export function detectionOf(target: Target, name: string) {
  return {
    ...{ alert: { ...ALERT, id: `alert-of-${name}` }, target, mode: "containment" as const },
    ...{ reason: "a test", event: { body: "exactly this" } },
    execution: {
      ...{ arn: `arn:aws:states:us-east-1:111122223333:execution:contain:${name}`, name },
      startedAt: "2026-11-22T17:55:01.123Z",
    },
  };
}
