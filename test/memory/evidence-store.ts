import { sha256 } from "../../core/evidence/manifest.ts";
import { type EvidenceStore, type Stored, toBytes } from "../../core/evidence/store.ts";

/** The evidence store without a bucket, for unit tests. Documents pass through bytes, as on S3. */
export interface MemoryStore extends EvidenceStore {
  readonly objects: Map<string, string>;
}

export function memoryStore(): MemoryStore {
  const objects = new Map<string, string>();
  const stored = <T>(key: string, text: string): Stored<T> => ({
    document: JSON.parse(text),
    artefact: { key, sha256: sha256(text), size: Buffer.byteLength(text), versionId: "1" },
  });
  return {
    objects,
    async putOnce<T>(key: string, document: T) {
      const kept = objects.get(key);
      if (kept !== undefined) return { created: false, ...stored<T>(key, kept) };
      const text = toBytes(document);
      objects.set(key, text);
      return { created: true, ...stored<T>(key, text) };
    },
    async read<T>(key: string) {
      const text = objects.get(key);
      return text === undefined ? null : stored<T>(key, text);
    },
    async inspect(prefix) {
      return [...objects]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, text]) => ({
          ...stored(key, text).artefact,
          storedAt: "2026-01-01T00:00:00Z",
        }));
    },
    async free(key) {
      objects.delete(key);
    },
  };
}
