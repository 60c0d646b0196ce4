import { describe, expect, test } from "vitest";
import { PROTECTED_LABELS } from "../../test/memory/brakes.ts";
import type { Target } from "../target/target.ts";
import { SEVERITIES, type Severity } from "./alert.ts";
import type { Reading } from "./reading.ts";
import { type ResponseSettings, triage as triageAt } from "./triage.ts";

const SETTINGS: ResponseSettings = {
  mode: "containment",
  actingSeverities: ["critical", "high"],
  minimumSeverity: "medium",
  scope: "pod",
  protectedNamespaces: ["kube-system"],
  maintenanceWindows: [],
  protectedLabels: PROTECTED_LABELS,
  circuitBreaker: { targets: 20, minutes: 10 },
};

const NOW = new Date("2026-09-29T13:44:06.000Z");

const triage = (reading: Reading, settings: ResponseSettings) => triageAt(reading, settings, NOW);

test("an open maintenance window makes an audit of a sensor's alert, and of no request by hand", () => {
  const window = { days: ["Tue"], from: "13:00", to: "14:00", zone: "UTC" } as const;
  const settings = { ...SETTINGS, maintenanceWindows: [window] };
  const before = new Date("2026-09-29T12:59:59.000Z");

  expect(triage(detection({}), settings)).toMatchObject({
    mode: "audit",
    reason:
      "maintenance window Tue 13:00-14:00 UTC is open, so the stage's mode is containment, turned into audit",
    brakes: [{ brake: "maintenanceWindow" }],
  });
  expect(triage(detection({ requestedMode: "containment" }), settings)).toMatchObject({
    mode: "containment",
    brakes: [],
  });
  expect(triageAt(detection({}), settings, before)).toMatchObject({ mode: "containment" });
});

test("every brake that holds is told, so that lifting one does not surprise with the next", () => {
  const window = { days: ["Tue"], from: "13:00", to: "14:00", zone: "UTC" } as const;
  const settings = { ...SETTINGS, maintenanceWindows: [window] };

  expect(triage(detection({ namespace: "kube-system" }), settings)).toMatchObject({
    mode: "audit",
    brakes: [{ brake: "protectedNamespace" }, { brake: "maintenanceWindow" }],
  });
});

function detection(change: {
  severity?: Severity;
  namespace?: string;
  target?: Target;
  requestedMode?: "audit" | "containment";
}): Reading {
  const { severity = "high", namespace = "payments", requestedMode } = change;
  const whole: Target = {
    cluster: "prod-eks-1",
    namespace,
    kind: "namespace",
    name: namespace,
    uid: null,
  };
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
      target: change.target ?? whole,
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

test("a severity that does not act by itself is audited, and says so", () => {
  expect(triage(detection({ severity: "medium" }), SETTINGS)).toMatchObject({
    mode: "audit",
    reason: expect.stringContaining("severity medium does not act by itself"),
  });
});

describe("a stage whose scope is the namespace", () => {
  const settings: ResponseSettings = { ...SETTINGS, scope: "namespace" };
  const pod: Target = {
    ...{ kind: "pod", cluster: "prod-eks-1", namespace: "payments" },
    ...{ name: "checkout-1", uid: "u", containerId: "c" },
  };

  test("contains the namespace of the pod that a sensor names", () => {
    expect(triage(detection({ target: pod }), settings)).toMatchObject({
      target: { kind: "namespace", name: "payments", uid: null },
    });
  });

  test("contains what a request by hand names, and nothing more", () => {
    const asked = detection({ target: pod, requestedMode: "containment" });

    expect(triage(asked, settings)).toMatchObject({ target: pod });
  });
});

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
