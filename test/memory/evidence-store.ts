import { conflictOf } from "../../core/evidence/conflict.ts";
import type { ObjectLock, Writer } from "../../core/evidence/custody.ts";
import { sha256 } from "../../core/evidence/manifest.ts";
import { type EvidenceStore, type Stored, toBytes } from "../../core/evidence/store.ts";

/** One version of an object, as the bucket keeps it. */
export interface MemoryObject {
  readonly text: string;
  readonly versionId: string;
  /** Versions and delete markers of the key. */
  readonly versions: number;
  readonly storedAt: string;
  readonly writer: Writer | null;
  readonly lock: ObjectLock | null;
}

/** The evidence store without a bucket, for unit tests. Documents pass through bytes, as on S3. */
export interface MemoryStore extends EvidenceStore {
  /** What lies at each key, as text. */
  readonly objects: Map<string, string>;
  /** The rest of what the bucket knows of each key. */
  readonly kept: Map<string, Omit<MemoryObject, "text">>;
  /** Who writes from now on. */
  writer: Writer;
  /** What S3's clock says at the next writes. */
  storedAt: string;
  lock: ObjectLock | null;
}

export const LOCK: ObjectLock = { mode: "GOVERNANCE", retainUntil: "2027-11-22T17:55:30.000Z" };

export const WRITER: Writer = {
  execution: "arn:aws:states:us-east-1:111122223333:execution:contain:a",
  state: "OpenCase",
  productVersion: "0.1.0",
  capturedAt: "2026-11-22T17:55:01.250Z",
};

export function memoryStore(): MemoryStore {
  const objects = new Map<string, string>();
  const kept: MemoryStore["kept"] = new Map();
  let written = 0;
  const stored = <T>(key: string, text: string): Stored<T> => ({
    document: JSON.parse(text),
    artefact: {
      key,
      sha256: sha256(text),
      size: Buffer.byteLength(text),
      versionId: kept.get(key)?.versionId ?? "null",
    },
  });
  const put = (key: string, text: string) => {
    written += 1;
    objects.set(key, text);
    const { writer, storedAt, lock } = store;
    kept.set(key, { versionId: `v${written}`, versions: 1, storedAt, writer, lock });
  };
  const store: MemoryStore = {
    objects,
    kept,
    writer: WRITER,
    storedAt: "2026-11-22T17:55:01.000Z",
    lock: LOCK,
    async putOnce<T>(key: string, document: T) {
      const bytes = toBytes(document);
      const there = objects.get(key);
      if (there === undefined) {
        put(key, bytes);
        return { created: true, ...stored<T>(key, bytes) };
      }
      const result = { created: false, ...stored<T>(key, there) };
      const found = conflictOf(result.artefact, { bytes, document });
      if (found && !objects.has(found.key)) put(found.key, toBytes(found.conflict));
      return result;
    },
    async read<T>(key: string) {
      const text = objects.get(key);
      return text === undefined ? null : stored<T>(key, text);
    },
    async inspect(prefix) {
      return [...objects]
        .filter(([key]) => key.startsWith(prefix))
        .toSorted(([one], [other]) => (one < other ? -1 : 1))
        .map(([key, text]) => {
          const { storedAt = "", writer = null, lock = null } = kept.get(key) ?? {};
          return { ...stored(key, text).artefact, storedAt, writer, lock };
        });
    },
    async list(prefix, limit, after = "") {
      return [...objects.keys()]
        .filter((key) => key.startsWith(prefix) && key > after)
        .toSorted((one, other) => (one < other ? -1 : 1))
        .slice(0, limit)
        .map((key) => ({ key, storedAt: kept.get(key)?.storedAt ?? "" }));
    },
    async free({ key, versionId }) {
      if (kept.get(key)?.versionId !== versionId) return;
      objects.delete(key);
      kept.delete(key);
    },
  };
  return store;
}
