import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { memoryStore } from "../../test/memory/evidence-store.ts";
import { bareFolder, bucketFolder, copyOf, type Kept } from "../../test/memory/run-folder.ts";
import { aSealedRun } from "../../test/memory/sealed-run.ts";
import { artefactKey, runPrefix, runRecordKey } from "./keys.ts";
import type { Manifest } from "./manifest.ts";
import { sha256 } from "./manifest.ts";
import { toBytes } from "./store.ts";
import { verifyRun } from "./verify.ts";

/** Two sealed runs of one case; the second one is tampered with. */
const sealed = memoryStore();
let earlier: string;
let runId: string;
let caseId: string;
let names: readonly string[];
const manifestKey = () => artefactKey(runId, "manifest.json");
const manifestIn = ({ objects }: Kept): Manifest => JSON.parse(objects.get(manifestKey()) ?? "");

beforeAll(async () => {
  earlier = (await aSealedRun(sealed)).runId;
  const run = await aSealedRun(sealed, {}, 1);
  runId = run.runId;
  caseId = run.result.case.id;
  names = manifestIn(sealed).artefacts.map(({ name }) => name);
});

test("a run as it was sealed verifies, in the bucket and as a folder that says what it cannot know", async () => {
  const inBucket = await verifyRun(bucketFolder(sealed, runId));
  const downloaded = await verifyRun(bareFolder(sealed, runId));

  expect(inBucket).toMatchObject({ verified: true, artefacts: 12, problems: [] });
  expect(new Set(inBucket.checks.map(({ outcome }) => outcome))).toEqual(new Set(["passed"]));
  expect(downloaded).toMatchObject({ verified: true, artefacts: 12, problems: [] });
  const open = downloaded.checks.filter(({ outcome }) => outcome === "notChecked");
  expect(open.map(({ what }) => what).join("\n")).toMatch(/version .*the case recorded .*before,/s);
});

/** Puts other bytes where some were; S3 makes a new version of it, a disk does not. */
function put({ objects, kept }: Kept, key: string, text: string, as?: "newVersion"): void {
  objects.set(key, text);
  const known = kept.get(key) ?? [...kept.values()][0];
  if (!known) throw new Error("the store is empty");
  if (!kept.has(key) || as) kept.set(key, { ...known, versionId: "other", versions: as ? 2 : 1 });
}

function rewriteManifest(store: Kept, change: (manifest: Manifest) => Manifest): void {
  const bytes = toBytes(change(manifestIn(store)));
  put(store, manifestKey(), bytes);
}

interface Dice {
  /** Which artefact, which other one. */
  readonly one: string;
  readonly other: string;
  readonly at: number;
  readonly bit: number;
  /** Milliseconds, not 0. */
  readonly shift: number;
}

/** What somebody does to a sealed run, and the reason that must be given. */
type Tampering = (store: Kept, dice: Dice) => RegExp;

const key = (name: string) => `${runPrefix(runId)}${name}`;
const textAt = ({ objects }: Kept, name: string) => objects.get(key(name)) ?? "";
const shifted = (time: string | null, ms: number) =>
  new Date(Date.parse(time ?? "") + ms).toISOString();

/** What is found in any copy. */
const OF_BYTES: Readonly<Record<string, Tampering>> = {
  flip(store, { one, at, bit }) {
    const bytes = Buffer.from(textAt(store, one), "latin1");
    const index = at % bytes.length;
    bytes[index] = (bytes[index] ?? 0) ^ (1 << bit);
    put(store, key(one), bytes.toString("latin1"));
    return new RegExp(`${one} has SHA-256 .*, sealed was`);
  },
  drop(store, { one }) {
    store.objects.delete(key(one));
    return new RegExp(`${one} is missing`);
  },
  add(store, { one, at }) {
    put(store, key(`extra-${at}.json`), textAt(store, one));
    return new RegExp(`extra-${at}.json is not in the manifest`);
  },
  rename(store, { one }) {
    put(store, key(`${one}.bak`), textAt(store, one));
    store.objects.delete(key(one));
    return new RegExp(`${one}.bak is not in the manifest`);
  },
  swap(store, { one, other }) {
    const text = textAt(store, one);
    put(store, key(one), textAt(store, other));
    put(store, key(other), text);
    return new RegExp(`${one} has SHA-256`);
  },
  truncate(store, { one, at }) {
    const text = textAt(store, one);
    put(store, key(one), text.slice(0, at % text.length));
    return new RegExp(`${one} has \\d+ bytes, sealed were`);
  },
  reorder(store, { one, other }) {
    rewriteManifest(store, ({ artefacts, ...rest }) => {
      const moved = artefacts.map((entry) => {
        const name = entry.name === one ? other : entry.name === other ? one : entry.name;
        return artefacts.find((each) => each.name === name) ?? entry;
      });
      return { ...rest, artefacts: moved };
    });
    return /not in the order in which it was sealed/;
  },
};

/** What is found by what only the bucket knows. */
const OF_THE_BUCKET: Readonly<Record<string, Tampering>> = {
  flipInManifest(store, { at, bit }) {
    const bytes = Buffer.from(textAt(store, "manifest.json"), "latin1");
    const index = at % bytes.length;
    bytes[index] = (bytes[index] ?? 0) ^ (1 << bit);
    put(store, manifestKey(), bytes.toString("latin1"));
    return /manifest.json (was rewritten|is not|is of)|no record of this run/;
  },
  writtenAgain(store, { one }) {
    put(store, key(one), textAt(store, one), "newVersion");
    return new RegExp(`${one} was changed: the bucket has 2 versions`);
  },
  rightHashesOfOtherBytes(store, { one, at }) {
    const bytes = toBytes({ forged: at });
    put(store, key(one), bytes, "newVersion");
    rewriteManifest(store, ({ artefacts, ...rest }) => ({
      ...rest,
      artefacts: artefacts.map((entry) =>
        entry.name === one
          ? { ...entry, sha256: sha256(bytes), size: bytes.length, versionId: "other" }
          : entry,
      ),
    }));
    return /manifest.json was rewritten: it has SHA-256/;
  },
  rightHashesOtherVersion(store, { one }) {
    rewriteManifest(store, ({ artefacts, ...rest }) => ({
      ...rest,
      artefacts: artefacts.map((entry) =>
        entry.name === one ? { ...entry, versionId: "other" } : entry,
      ),
    }));
    return new RegExp(`${one} was written again: version v\\d+ is not the sealed`);
  },
  theSameManifestAsAnotherVersion(store) {
    put(store, manifestKey(), textAt(store, "manifest.json"), "newVersion");
    return /manifest.json was rewritten: it is version other, recorded was/;
  },
  leftOutOfManifest(store, { one }) {
    store.objects.delete(key(one));
    store.kept.delete(key(one));
    rewriteManifest(store, ({ artefacts, ...rest }) => ({
      ...rest,
      artefacts: artefacts.filter(({ name }) => name !== one),
    }));
    return /manifest.json was rewritten/;
  },
  captureTimeInManifest(store, { one, shift }) {
    rewriteManifest(store, ({ artefacts, ...rest }) => ({
      ...rest,
      artefacts: artefacts.map((entry) =>
        entry.name === one ? { ...entry, capturedAt: shifted(entry.capturedAt, shift) } : entry,
      ),
    }));
    return new RegExp(`${one} says capturedAt .*, the manifest says`);
  },
  storeTimeInManifest(store, { one, shift }) {
    rewriteManifest(store, ({ artefacts, ...rest }) => ({
      ...rest,
      artefacts: artefacts.map((entry) =>
        entry.name === one ? { ...entry, storedAt: shifted(entry.storedAt, shift) } : entry,
      ),
    }));
    return new RegExp(`${one} was stored at .*, the manifest says`);
  },
  sealingTime(store, { shift }) {
    rewriteManifest(store, (manifest) => ({
      ...manifest,
      sealedAt: shifted(manifest.sealedAt, shift),
    }));
    return /manifest.json was rewritten/;
  },
  writersClock({ kept }, { one, shift }) {
    const known = kept.get(key(one));
    if (!known?.writer) throw new Error(`${one} has no writer`);
    const capturedAt = shifted(known.writer.capturedAt, shift);
    kept.set(key(one), { ...known, writer: { ...known.writer, capturedAt } });
    return new RegExp(`${one} says capturedAt`);
  },
  writer({ kept }, { one, at }) {
    const known = kept.get(key(one));
    if (!known?.writer) throw new Error(`${one} has no writer`);
    kept.set(key(one), { ...known, writer: { ...known.writer, execution: `arn-${at}` } });
    return new RegExp(`${one} was written by arn-${at}, not by this run`);
  },
  lock({ kept }, { one, at }) {
    const known = kept.get(key(one));
    if (!known?.lock) throw new Error(`${one} has no lock`);
    const retainUntil = shifted(known.lock.retainUntil, -1 - at);
    kept.set(key(one), { ...known, lock: { ...known.lock, retainUntil } });
    return new RegExp(`${one} was locked until`);
  },
  previousLost({ objects }) {
    objects.delete(artefactKey(earlier, "manifest.json"));
    return /the chain is broken: .* is missing/;
  },
  previousChanged(store, { at }) {
    const previous = artefactKey(earlier, "manifest.json");
    const text = store.objects.get(previous) ?? "";
    put(store, previous, `${text.slice(0, at % text.length)} ${text.slice(at % text.length)}`);
    return /the chain is broken: .* has SHA-256/;
  },
  previousWrittenAgain(store) {
    const previous = artefactKey(earlier, "manifest.json");
    put(store, previous, store.objects.get(previous) ?? "", "newVersion");
    return /the chain is broken: .* is version other/;
  },
  previousNotNamed(store) {
    rewriteManifest(store, (manifest) => ({ ...manifest, previous: null }));
    return /names no run before it, not cases/;
  },
  recordLost({ objects, kept }) {
    objects.delete(runRecordKey(caseId, runId));
    kept.delete(runRecordKey(caseId, runId));
    return /the case has no record of this run/;
  },
  anotherRunsFolder(store) {
    for (const name of [...names, "manifest.json"]) {
      put(store, key(name), store.objects.get(`${runPrefix(earlier)}${name}`) ?? "");
    }
    return /lies in that of/;
  },
};

/** Two tamperings can undo each other. */
const sorted = ({ objects, kept }: Kept) => [...objects, ...kept].toSorted();

const dice = fc
  .record({
    which: fc.nat({ max: 10_000 }),
    step: fc.nat({ max: 10_000 }),
    at: fc.nat({ max: 100_000 }),
    bit: fc.nat(7),
    shift: fc.integer({ min: -864e5, max: 864e5 }).filter((ms) => ms !== 0),
  })
  .map(({ which, step, ...rest }): Dice => {
    const one = names[which % names.length] ?? "";
    const other = names[(which + 1 + (step % (names.length - 1))) % names.length] ?? "";
    return { one, other, ...rest };
  });

describe("whatever is done to a sealed run is found, with the reason", () => {
  const everything = { ...OF_BYTES, ...OF_THE_BUCKET };

  test.each(Object.entries(everything))("in the bucket: %s", async (_, tamper) => {
    await fc.assert(
      fc.asyncProperty(dice, async (thrown) => {
        const store = copyOf(sealed);
        const reason = tamper(store, thrown);
        const { verified, problems } = await verifyRun(bucketFolder(store, runId));
        expect(verified).toBe(false);
        expect(problems.join("\n")).toMatch(reason);
      }),
      { numRuns: 60 },
    );
  });

  test.each(Object.entries(OF_BYTES))("in a downloaded folder: %s", async (_, tamper) => {
    await fc.assert(
      fc.asyncProperty(dice, async (thrown) => {
        const store = copyOf(sealed);
        const reason = tamper(store, thrown);
        const { verified, problems } = await verifyRun(bareFolder(store, runId));
        expect(verified).toBe(false);
        expect(problems.join("\n")).toMatch(reason);
      }),
      { numRuns: 60 },
    );
  });

  test("in a downloaded folder: a time that was moved by more than clocks may differ", async () => {
    await fc.assert(
      fc.asyncProperty(dice, fc.integer({ min: 17_000, max: 864e5 }), async (thrown, ms) => {
        const store = copyOf(sealed);
        const shift = thrown.bit % 2 === 0 ? ms : -ms;
        const which = thrown.at % 2 === 0 ? "captureTimeInManifest" : "storeTimeInManifest";
        OF_THE_BUCKET[which]?.(store, { ...thrown, shift });
        const { verified, problems } = await verifyRun(bareFolder(store, runId));
        expect(verified).toBe(false);
        expect(problems.join("\n")).toMatch(/clockSkewed|clockBackwards/);
      }),
    );
  });

  test("several things at once, in any order", async () => {
    const some = fc.array(fc.tuple(fc.constantFrom(...Object.values(everything)), dice), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(some, async (tamperings) => {
        const store = copyOf(sealed);
        for (const [tamper, thrown] of tamperings) {
          try {
            tamper(store, thrown);
          } catch {
            fc.pre(false); // what one took away the next cannot change
          }
        }
        const before = await verifyRun(bucketFolder(sealed, runId));
        const after = await verifyRun(bucketFolder(store, runId));
        const undone = JSON.stringify(sorted(store)) === JSON.stringify(sorted(sealed));
        return before.verified && (undone || !after.verified);
      }),
      { numRuns: 300 },
    );
  });
});

describe("a manifest that cannot be read", () => {
  test("is said to be missing, no JSON, no manifest, or of a version that is no longer read", async () => {
    const store = { objects: new Map<string, string>(), kept: new Map(sealed.kept) };
    const problem = async (text?: string) => {
      if (text !== undefined) store.objects.set(manifestKey(), text);
      return (await verifyRun(bucketFolder(store, runId))).problems[0];
    };

    expect(await problem()).toContain("there is no manifest.json");
    expect(await problem("not json")).toContain("is not JSON");
    expect(await problem('{"schema":"other"}')).toContain("is not a manifest");
    const old = { schema: "eks-containment/manifest/1", productVersion: "0.0.9" };
    expect(await problem(JSON.stringify(old))).toBe(
      "manifest.json is of eks-containment/manifest/1, this version of the product reads only " +
        "eks-containment/manifest/2: verify it with the version that sealed it (0.0.9)",
    );
  });
});
