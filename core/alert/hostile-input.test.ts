import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { settingsFor } from "../../stages.ts";
import { memoryStore } from "../../test/memory/evidence-store.ts";
import { recordIgnored } from "../case/case.ts";
import { identityOf } from "../case/markers.ts";
import { ignoredKey, joinedAlertKey, openCaseKey } from "../evidence/keys.ts";
import { readEvent, readText } from "./read-event.ts";
import { triage } from "./triage.ts";

const IDENTITY = { name: "prod-eks-1", arn: null };
const NOW = new Date("2026-11-28T09:00:00.000Z");
const EXECUTION = { arn: "arn:e:a", name: "a", startedAt: "2026-11-28T09:00:00.000Z" };

function falcoText(fields: string): string {
  return `{"uuid":"u-1","priority":"Critical","rule":"r","time":"2026-11-28T09:00:00Z","source":"syscall","output_fields":{${fields}}}`;
}
const NAMES = '"k8s.ns.name":"payments","k8s.pod.name":"checkout-1"';

/** The message as the pipe puts it on the bus. */
function onBus(body: string, source = "falco") {
  const named = { id: "e-1", source, "detail-type": "Falco Alert", time: "2026-11-28T09:00:00Z" };
  return { ...named, detail: { messageId: "m-1", body } };
}

function request(detail: unknown) {
  return {
    ...{ id: "e-1", source: "demo.containment", "detail-type": "PodContainmentRequested" },
    ...{ time: "2026-11-28T09:00:00Z", detail },
  };
}

function targetOf(text: string) {
  const reading = readEvent(onBus(text), IDENTITY);
  return reading.kind === "detection" ? reading.detection.target : null;
}

describe("JSON that is made to harm", () => {
  test.each([
    ["a hundred thousand open lists", "[".repeat(100_000)],
    ["a hundred thousand lists", "[".repeat(100_000) + "]".repeat(100_000)],
    ["a megabyte of one string", `"${"x".repeat(1_048_574)}"`],
    ["half a million numbers", `[${"1,".repeat(500_000)}1]`],
    ["a number of a thousand digits for an alert", "9".repeat(1_000)],
  ])("is read as no alert, at no cost that grows with its depth: %s", (_, text) => {
    expect(readEvent(onBus(text), IDENTITY).kind).toBe("unreadable");
  });

  test("in a field that decides nothing changes nothing", () => {
    const deep = `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`;

    expect(targetOf(falcoText(`${NAMES},"proc.cmdline":${deep}`))).toMatchObject({
      name: "checkout-1",
    });
  });

  test("as deep as a bus lets through is kept, though it is refused", async () => {
    let detail: unknown = "x";
    for (let level = 0; level < 1_000; level += 1) detail = { mode: detail };
    const event = request(detail);
    const reading = readEvent(event, IDENTITY);
    const store = memoryStore();

    expect(reading).toMatchObject({ kind: "refused" });
    await recordIgnored({ reason: "r", alert: null, execution: EXECUTION, event }, store);
    expect(await store.read(ignoredKey(EXECUTION.startedAt, EXECUTION.name))).not.toBeNull();
  });

  test("with a name twice means the last one, as it does to Falcosidekick and to the evidence", () => {
    const twice = '"k8s.ns.name":"payments","k8s.pod.name":"a","k8s.pod.name":"b"';

    expect(targetOf(falcoText(twice))).toMatchObject({ name: "b" });
    expect(JSON.parse(falcoText(twice)).output_fields["k8s.pod.name"]).toBe("b");
  });

  test.each(["__proto__", "constructor", "prototype"])(
    "under the key %s gives no name and changes no object",
    (key) => {
      const text = falcoText(`"${key}":{${NAMES},"polluted":true}`);

      expect(targetOf(text)).toBeNull();
      expect(readText(`{"${key}":${falcoText(NAMES)}}`, IDENTITY).kind).toBe("unreadable");
      expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    },
  );

  test("with numbers beyond 2^53 or beyond all bounds names no other target", () => {
    const big = `${NAMES},"evt.time":18446744073709551615,"fd.num":1e999`;

    expect(targetOf(falcoText(big))).toMatchObject({ namespace: "payments", name: "checkout-1" });
    expect(targetOf(falcoText('"k8s.ns.name":"payments","k8s.pod.name":9007199254740993'))).toBe(
      null,
    );
  });
});

describe("an alert's texts in keys", () => {
  const SEGMENTS = fc.oneof(
    fc.constantFrom("..", ".", "a/b", "../..", "a\u0000", "a\n", "a%2fb", "A", "a..b", "", "@x"),
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.stringMatching(/^[a-z0-9.-]{1,12}$/),
  );

  test("never leave the folder of their kind: every part of a key is a name of Kubernetes", () => {
    const settings = settingsFor("local").response;
    fc.assert(
      fc.property(SEGMENTS, SEGMENTS, SEGMENTS, (namespace, pod, uid) => {
        const asked = [
          onBus(
            falcoText(
              `"k8s.ns.name":${JSON.stringify(namespace)},"k8s.pod.name":${JSON.stringify(pod)},"container.id":${JSON.stringify(uid)}`,
            ),
          ),
          request({ namespace, pod, uid, mode: "containment", reason: "r" }),
        ];
        for (const event of asked) {
          const decided = triage(readEvent(event, IDENTITY), settings, NOW);
          if (decided.decision !== "act") continue;
          const { target } = decided;
          const key = openCaseKey(target, identityOf({ target, execution: EXECUTION }));
          expect(key).toMatch(
            /^open\/prod-eks-1\/[a-z0-9-]+\/pod\/[a-z0-9]([-a-z0-9.]*[a-z0-9])?@(uid|container|at)\.[0-9A-Za-z-]+\.json$/,
          );
          expect(key).not.toContain("..");
        }
      }),
      { numRuns: 2_000, examples: [["payments", "checkout-1", "uid-1"]] },
    );
  });

  test("are in no key of a refused or joining alert at all: those are named by the execution", () => {
    expect(ignoredKey(EXECUTION.startedAt, EXECUTION.name)).toBe("ignored/2026-11-28/a.json");
    expect(joinedAlertKey("c-1", EXECUTION.name)).toBe("cases/c-1/alerts/a.json");
  });
});
