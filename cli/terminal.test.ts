import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const PROGRAM = join(import.meta.dirname, "containment.ts");
/** A window's title, a cleared screen, an 8-bit control, text that runs backwards, two more lines. */
const HOSTILE =
  "\u001b]0;owned\u0007\u001b[2J\u009b31m\u202egnp.exe\nact (containment)\r  reason none";
const CONTROLS = /[^\P{Cc}\n]|[\u202a-\u202e]/u;

function triage(alert: object, ...args: string[]): string {
  const { stdout } = spawnSync(process.execPath, [PROGRAM, "triage", "-", ...args], {
    input: JSON.stringify(alert),
    encoding: "utf8",
  });
  return stdout;
}

function alertWith(change: object) {
  return {
    ...{ uuid: "u", priority: "Critical", rule: "Shell", time: "2026-11-28T09:00:00Z" },
    ...{ source: "syscall", output_fields: { "k8s.ns.name": "a", "k8s.pod.name": "b" } },
    ...change,
  };
}

describe("what an attacker wrote into an alert", () => {
  test.each([
    ["the rule", alertWith({ rule: HOSTILE })],
    ["the priority", alertWith({ priority: HOSTILE })],
    [
      "the pod's name",
      alertWith({ output_fields: { "k8s.ns.name": "a", "k8s.pod.name": HOSTILE } }),
    ],
  ])("moves no cursor and adds no line to what a command prints: %s", (_, alert) => {
    const plain = triage(alertWith({}), "--stage", "local").split("\n");
    const text = triage(alert, "--stage", "local");

    expect(text).not.toMatch(CONTROLS);
    expect(text.split("\n").length).toBeLessThanOrEqual(plain.length);
  });

  test("stays the same text in JSON, and harmless", () => {
    const printed = triage(alertWith({ rule: HOSTILE }), "--stage", "local", "--json");

    expect(printed).not.toMatch(CONTROLS);
    expect(JSON.parse(printed).alert.rule).toBe(HOSTILE);
  });
});
