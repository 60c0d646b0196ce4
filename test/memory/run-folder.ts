import { artefactKey, runPrefix, runRecordsPrefix } from "../../core/evidence/keys.ts";
import { RunRecord } from "../../core/evidence/manifest.ts";
import type { RunFolder, StoredFile } from "../../core/evidence/run-folder.ts";
import type { MemoryStore } from "./evidence-store.ts";

/** What lies in a store, which a test may have tampered with. */
export type Kept = Pick<MemoryStore, "objects" | "kept">;

/** A run in the bucket. A key without text is one that a delete marker hides. */
export function bucketFolder({ objects, kept }: Kept, runId: string): RunFolder {
  const prefix = runPrefix(runId);
  const storedOf = (key: string): StoredFile => {
    const known = kept.get(key);
    if (!known) throw new Error(`nothing is known of ${key}`);
    return { ...known, versionId: objects.has(key) ? known.versionId : null };
  };
  const under = (start: string) => [...kept.keys()].filter((key) => key.startsWith(start));
  const bytesAt = (key: string) => Buffer.from(objects.get(key) ?? "", "latin1");
  return {
    runId,
    list: async () =>
      under(prefix).map((key) => ({ name: key.slice(prefix.length), stored: storedOf(key) })),
    read: async (name) => bytesAt(prefix + name),
    records: async (caseId) =>
      under(runRecordsPrefix(caseId)).map((key) => {
        const { versions, storedAt } = storedOf(key);
        const record = RunRecord.safeParse(JSON.parse(objects.get(key) ?? "null")).data ?? null;
        return { key, versions, storedAt, record };
      }),
    async manifestOf(other) {
      const key = artefactKey(other, "manifest.json");
      return objects.has(key) ? { bytes: bytesAt(key), stored: storedOf(key) } : null;
    },
  };
}

/** The same run as a downloaded folder, with nothing beside it. */
export function bareFolder(store: Kept, runId: string): RunFolder {
  const { list, read } = bucketFolder(store, runId);
  return {
    runId: null,
    list: async () =>
      (await list())
        .filter(({ stored }) => stored?.versionId !== null)
        .map(({ name }) => ({ name, stored: null })),
    read,
    records: async () => null,
    manifestOf: async () => "notAtHand",
  };
}

export function copyOf({ objects, kept }: Kept): Kept {
  return { objects: new Map(objects), kept: new Map(kept) };
}
