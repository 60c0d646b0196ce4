import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type MemoryStore, memoryStore } from "../../test/memory/evidence-store.ts";
import { openCase } from "../case/case.ts";
import { type RecordRunInput, type RunVerdict, recordRun } from "./record-run.ts";
import { type RunFolder, verifyRun } from "./verify.ts";

const EXECUTION = {
  arn: "arn:aws:states:us-east-1:111122223333:execution:contain:a",
  name: "a",
  startedAt: "2026-11-22T17:55:01.000Z",
};
const OPENING = {
  alert: {
    source: "falco",
    id: "1",
    rule: "Terminal shell in container",
    severity: "low",
    detectedAt: "2026-11-22T17:55:00.000Z",
  },
  target: {
    cluster: "prod-eks-1",
    namespace: "payments",
    kind: "pod",
    name: "checkout-1",
    uid: null,
    containerId: null,
  },
  mode: "containment",
  reason: "a test",
  execution: EXECUTION,
  event: {},
} as const;

async function prepare(verdict: RunVerdict = "contained") {
  const store = memoryStore();
  const { case: ref, artefacts } = await openCase(OPENING, store);
  const announced: unknown[] = [];
  const { event: _, ...opening } = OPENING;
  const input: RecordRunInput = {
    ...opening,
    case: ref,
    verdict,
    reasons: [],
    quarantinedAt: "2026-11-22T17:55:02.500Z",
    artefacts,
    missing: [],
    notPreserved: [],
  };
  const act = () =>
    recordRun(input, {
      store,
      announcements: { containmentCompleted: async (result) => void announced.push(result) },
      productVersion: "0.1.0",
      now: () => new Date("2026-11-22T17:55:03.000Z"),
    });
  return { store, input, announced, act, prefix: `runs/${ref.runId}/` };
}

function folderOf(store: MemoryStore, prefix: string): RunFolder {
  const keys = () => [...store.objects.keys()].filter((key) => key.startsWith(prefix));
  return {
    list: async () =>
      keys().map((key) => ({ name: key.slice(prefix.length), versionId: null, versions: 1 })),
    read: async (name) => Buffer.from(store.objects.get(prefix + name) ?? ""),
  };
}

describe("the record of a run", () => {
  test("seals what lies in the store, tells the time to contain, and is announced", async () => {
    const { store, announced, act, prefix } = await prepare();

    const result = await act();

    expect(result.timeToContainMs).toBe(2_500);
    expect(announced).toEqual([result]);
    expect(await verifyRun(folderOf(store, prefix))).toMatchObject({
      verified: true,
      artefacts: 2,
      problems: [],
    });
  });

  test("made twice is the same, byte for byte", async () => {
    const { store, act } = await prepare();
    const first = await act();
    const objects = new Map(store.objects);

    expect(await act()).toEqual(first);
    expect(store.objects).toEqual(objects);
  });

  test("refuses to seal evidence that is not what its state wrote", async () => {
    const { store, input, act } = await prepare();
    store.objects.set(input.artefacts[0]?.key ?? "", "{}\n");

    await expect(act()).rejects.toMatchObject({ name: "EvidenceAltered" });
  });

  test("frees the target of a run that changed nothing, and of no other", async () => {
    const contained = await prepare("contained");
    const ignored = await prepare("ignored");

    await contained.act();
    await ignored.act();

    const markers = (store: MemoryStore) =>
      [...store.objects.keys()].filter((k) => k.startsWith("open/"));
    expect(markers(contained.store)).toHaveLength(1);
    expect(markers(ignored.store)).toHaveLength(0);
  });
});

describe("verify", () => {
  test("finds any bit flipped, any artefact dropped, added, renamed or swapped", async () => {
    const { store, act, prefix } = await prepare();
    await act();
    const sealed = new Map(store.objects);
    const names = [...sealed.keys()].filter((key) => key.startsWith(prefix));
    const tampering = fc.oneof(
      fc.record({ kind: fc.constant("flip"), at: fc.nat(), bit: fc.nat(7), which: fc.nat() }),
      fc.record({
        kind: fc.constantFrom("drop", "add", "rename", "swap", "truncate"),
        at: fc.nat(),
        bit: fc.nat(7),
        which: fc.nat(),
      }),
    );

    await fc.assert(
      fc.asyncProperty(tampering, async ({ kind, at, bit, which }) => {
        const copy = memoryStore();
        for (const [key, text] of sealed) copy.objects.set(key, text);
        const artefacts = names.filter((key) => !key.endsWith("manifest.json"));
        const key = artefacts[which % artefacts.length] ?? "";
        const text = copy.objects.get(key) ?? "";
        const other = artefacts[(which + 1) % artefacts.length] ?? "";
        if (kind === "flip") {
          const bytes = Buffer.from(text, "latin1");
          const index = at % bytes.length;
          bytes[index] = (bytes[index] ?? 0) ^ (1 << bit);
          copy.objects.set(key, bytes.toString("latin1"));
        } else if (kind === "drop") copy.objects.delete(key);
        else if (kind === "add") copy.objects.set(`${prefix}extra.json`, "{}");
        else if (kind === "truncate") copy.objects.set(key, text.slice(0, at % text.length));
        else if (kind === "rename") {
          copy.objects.delete(key);
          copy.objects.set(`${key}.bak`, text);
        } else {
          copy.objects.set(key, copy.objects.get(other) ?? "");
          copy.objects.set(other, text);
        }
        const { verified, problems } = await verifyRun(folderOf(copy, prefix));
        return !verified && problems.length > 0;
      }),
      { numRuns: 300 },
    );
  });

  test("finds what was written again, the manifest included, whatever its newest version says", async () => {
    const { store, act, prefix } = await prepare();
    await act();
    const folder = folderOf(store, prefix);
    const twice = (changed: string): RunFolder => ({
      ...folder,
      list: async () =>
        (await folder.list()).map((file) => ({ ...file, versions: file.name === changed ? 2 : 1 })),
    });

    for (const name of ["manifest.json", "alert.json"]) {
      expect((await verifyRun(twice(name))).problems).toEqual([
        `${name} was changed: the bucket has 2 versions`,
      ]);
    }
  });

  test("says so when there is no manifest, or none that it knows", async () => {
    const store = memoryStore();
    const folder = folderOf(store, "runs/r/");
    expect((await verifyRun(folder)).problems[0]).toContain("there is no manifest.json");

    store.objects.set("runs/r/manifest.json", "not json");
    expect((await verifyRun(folder)).problems[0]).toContain("is not JSON");

    store.objects.set("runs/r/manifest.json", '{"schema":"other"}');
    expect((await verifyRun(folder)).problems[0]).toContain("is not a manifest");
  });
});
