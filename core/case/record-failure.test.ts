import { describe, expect, test } from "vitest";
import { killedEverywhere } from "../../test/crash-points.ts";
import { PROTECTED_LABELS, RELEASED, UNBRAKED } from "../../test/memory/brakes.ts";
import { type MemoryStore, memoryStore } from "../../test/memory/evidence-store.ts";
import { aCluster } from "../../test/memory/owned-pod.ts";
import { unpublished } from "../../test/memory/published.ts";
import { SETTINGS, VPC } from "../../test/memory/quarantine-input.ts";
import type { Alert, Mode } from "../alert/alert.ts";
import { recordRun } from "../evidence/record-run.ts";
import type { FailureRecord } from "../evidence/schemas/case.ts";
import { applyPolicy } from "../quarantine/apply-policy.ts";
import { completePolicy, type Progress } from "../quarantine/complete-policy.ts";
import { snapshotAfter } from "../quarantine/snapshot-after.ts";
import { failureNotificationOf } from "../report/failure-notification.ts";
import type { Target } from "../target/target.ts";
import { openCase } from "./case.ts";
import { type Failure, recordFailure } from "./record-failure.ts";
import type { Stage } from "./standing.ts";

const EXECUTION = {
  arn: "arn:aws:states:us-east-1:111122223333:execution:contain:a",
  ...{ name: "a", startedAt: "2026-11-22T17:55:01.123Z" },
};
const FAILURE: Failure = {
  ...{ execution: EXECUTION, attempt: 0, status: "FAILED", error: "KubernetesUnavailable" },
  cause: JSON.stringify({
    errorMessage: "patch pod: no answer. Look at the API server.",
    trace: [],
  }),
  ...{ endedAt: "2026-11-22T17:56:00.000Z", redrivable: true, notRedrivable: null },
};
const now = () => new Date("2026-11-22T17:56:01.000Z");

/** A run of the product's own states that ends with the evidence of a stage. */
async function runUntil(stage: Stage, mode: Mode = "containment"): Promise<MemoryStore> {
  const store = memoryStore();
  if (stage === "notOpened") return store;
  const target: Target = {
    ...({ kind: "pod", cluster: "prod-eks-1", namespace: "payments" } as const),
    ...{ name: "checkout-1", uid: null, containerId: null },
  };
  const alert: Alert = {
    ...({ source: "falco", id: "1", rule: "Terminal shell in container" } as const),
    ...({ severity: "low", detectedAt: "2026-11-22T17:55:00.000Z" } as const),
  };
  const opening = { alert, target, mode, reason: "a test", execution: EXECUTION };
  const { case: ref } = await openCase({ ...opening, event: {} }, store);
  if (stage === "opened") return store;
  const kubernetes = aCluster("Deployment", VPC);
  const settings = { ...SETTINGS, order: { ...SETTINGS.order, low: "clean" } } as const;
  const ports = { kubernetes, store, settings, now, protectedLabels: PROTECTED_LABELS };
  const applied = await applyPolicy(
    { case: ref, execution: EXECUTION, alert, target, mode, network: VPC, ...UNBRAKED },
    ports,
  );
  if (stage === "planned") {
    store.objects.delete(`runs/${ref.runId}/policy.json`);
    return store;
  }
  if (stage === "applied") return store;
  let progress: Progress | null = null;
  for (let done = applied.outcome !== "applied" || !applied.pending; !done; ) {
    ({ done, progress } = await completePolicy(
      { case: ref, progress, killSwitch: RELEASED },
      ports,
    ));
  }
  if (stage === "completed") return store;
  const later = () => new Date("2026-11-22T17:59:30.000Z");
  const after = await snapshotAfter({ case: ref }, { kubernetes, store, now: later });
  if (stage === "readBack") return store;
  const result = { ...opening, case: ref, verdict: after.verdict, reasons: after.reasons } as const;
  await recordRun(
    { ...result, brakes: [], quarantinedAt: null, artefacts: [], missing: [], notPreserved: [] },
    {
      ...{ store, announcements: { containmentCompleted: async () => {} } },
      ...{ productVersion: "0.1.0", now: later },
    },
  );
  return store;
}

const failures = (store: MemoryStore) =>
  [...store.objects].filter(([key]) => key.includes("/failures/"));

describe("a failed execution", () => {
  test.each([
    ["notOpened", "Nothing was changed in the cluster", "not contained"],
    ["opened", "Nothing was changed in the cluster", "not contained"],
    ["planned", /The plan of \d+ writes is kept/, "Some of its writes may have been made"],
    ["applied", /The first of \d phases of the plan was written/, "as not contained"],
    ["completed", "The plan was carried out", "nothing proves"],
    ["readBack", "read back; verdict: ", "evidence not sealed"],
    ["sealed", "its evidence is sealed; verdict: ", "were told is not known"],
  ] as const)("that got as far as %s is told as such", async (stage, done, open) => {
    const store = await runUntil(stage);

    const { standing } = await recordFailure(FAILURE, { store, now });

    expect(standing.reached).toBe(stage);
    expect(standing.done).toMatch(done);
    expect(standing.open).toContain(open);
  });

  test.each(["opened", "planned", "sealed"] as const)(
    "of an audit that got as far as %s changed nothing",
    async (stage) => {
      const store = await runUntil(stage, "audit");

      const { standing } = await recordFailure(FAILURE, { store, now });

      expect(standing).toMatchObject({ reached: stage, mode: "audit" });
      expect(standing.done).toContain("Nothing was changed in the cluster");
    },
  );

  test("is written once for each attempt, however often and late it is told", async () => {
    const store = await runUntil("applied");
    await recordFailure({ ...FAILURE, attempt: 1, error: "KubernetesForbidden" }, { store, now });
    await recordFailure(FAILURE, { store, now });
    const before = failures(store);

    const later = () => new Date("2026-11-22T18:00:00.000Z");
    await recordFailure(FAILURE, { store, now: later });

    expect(failures(store)).toEqual(before);
    expect(before.map(([key]) => key.split("/failures/")[1])).toEqual(["a-1.json", "a-0.json"]);
    expect(before.flatMap(([key, text]) => unpublished(key, text) ?? [])).toEqual([]);
  });

  test("that is told late is told as the run stands by then", async () => {
    const store = await runUntil("sealed");

    const record = await recordFailure(FAILURE, { store, now });

    expect(failureNotificationOf(record, { stage: "prod" }).message).toContain("verdict: ");
  });

  test("is recorded whenever the function dies", async () => {
    const applied = await runUntil("applied");
    await killedEverywhere(
      () => {
        const store = memoryStore();
        for (const [key, text] of applied.objects) store.objects.set(key, text);
        return { ports: { store }, store };
      },
      ({ store }) => recordFailure(FAILURE, { store, now }),
      async ({ store }, _, killed) => {
        const kept = failures(store).map(([, text]): FailureRecord => JSON.parse(text));
        expect(kept, killed).toEqual([
          expect.objectContaining({ cause: "patch pod: no answer. Look at the API server." }),
        ]);
      },
    );
  });
});

describe("the message about it", () => {
  test("says what is done, what is open, why, and the command to go on with", async () => {
    const record = await recordFailure(FAILURE, { store: await runUntil("applied"), now });

    const { subject, message } = failureNotificationOf(record, { stage: "prod" });

    expect(subject).toBe("[prod] FAILED (KubernetesUnavailable): pod payments/checkout-1");
    expect(message).toContain(`  Done       ${record.standing.done}`);
    expect(message).toContain(`  Open       ${record.standing.open}`);
    expect(message).toContain("  Cause      patch pod: no answer. Look at the API server.");
    expect(message).toContain(`npx containment run ${record.standing.runId} --stage prod`);
    expect(message).toContain("npx containment redrive a --stage prod");
  });

  test("says why where it cannot be redriven", async () => {
    const failure = { ...FAILURE, redrivable: false, notRedrivable: "It is over 14 days old" };
    const record = await recordFailure(failure, { store: await runUntil("opened"), now });

    const { message } = failureNotificationOf(record, { stage: "prod" });

    expect(message).toContain("it cannot be redriven: It is over 14 days old");
    expect(message).not.toContain("npx containment redrive");
  });

  test("keeps a cause on one line, whatever is in it", async () => {
    const failure = { ...FAILURE, cause: "one\ntwo\u001b[2J\nRelease: nothing was changed" };
    const record = await recordFailure(failure, { store: await runUntil("opened"), now });

    const { message } = failureNotificationOf(record, { stage: "prod" });

    expect(message).toContain("  Cause      one two [2J Release: nothing was changed");
  });
});
