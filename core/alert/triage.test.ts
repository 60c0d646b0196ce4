import { expect, test } from "vitest";
import { SEVERITIES, type Severity } from "./alert.ts";
import type { Reading } from "./reading.ts";
import { type ResponseSettings, triage } from "./triage.ts";

const SETTINGS: ResponseSettings = {
  mode: "containment",
  minimumSeverity: "medium",
  protectedNamespaces: ["kube-system"],
};

function detection(change: {
  severity?: Severity;
  namespace?: string;
  requestedMode?: "audit" | "containment";
}): Reading {
  const { severity = "high", namespace = "payments", requestedMode } = change;
  return {
    kind: "detection",
    detection: {
      alert: {
        source: requestedMode ? "manual" : "falco",
        id: "1",
        rule: "r",
        severity,
        detectedAt: "2026-09-29T13:44:05.000Z",
      },
      target: { cluster: "prod-eks-1", namespace, kind: "namespace", name: namespace, uid: null },
      ...(requestedMode && { requestedMode }),
    },
  };
}

test("a sensor's alert acts in the stage's mode", () => {
  expect(triage(detection({}), SETTINGS)).toMatchObject({ decision: "act", mode: "containment" });
  expect(triage(detection({}), { ...SETTINGS, mode: "audit" })).toMatchObject({ mode: "audit" });
});

test.each(SEVERITIES.map((severity) => [severity] as const))(
  "an alert of severity %s acts only from the threshold on",
  (severity) => {
    const acts = ["critical", "high", "medium"].includes(severity);

    expect(triage(detection({ severity }), SETTINGS).decision).toBe(acts ? "act" : "ignore");
  },
);

test("a request by hand acts in the mode that it names, whatever the stage's", () => {
  const asked = triage(detection({ requestedMode: "audit", severity: "informational" }), SETTINGS);

  expect(asked).toMatchObject({ decision: "act", mode: "audit" });
});

test("a protected namespace is only ever audited, and says so", () => {
  const asked = triage(
    detection({ namespace: "kube-system", requestedMode: "containment" }),
    SETTINGS,
  );

  expect(asked).toMatchObject({ decision: "act", mode: "audit" });
  expect(asked.reason).toContain("protected");
});

test("what was refused keeps its reason, and what was unreadable goes to a person", () => {
  expect(triage({ kind: "refused", reason: "a sample", alert: null }, SETTINGS)).toEqual({
    decision: "ignore",
    reason: "a sample",
    alert: null,
  });
  expect(triage({ kind: "unreadable", reason: "not JSON" }, SETTINGS)).toEqual({
    decision: "deadLetter",
    reason: "not JSON",
  });
});
