import * as z from "zod";
import { artefactKey, type ConflictName, nameInRun } from "./keys.ts";
import { sha256 } from "./manifest.ts";
import type { Artefact } from "./store.ts";

/**
 * What a state that ran again would have written, had its key not been taken: the first document
 * stands, and that the second look saw something else is evidence too.
 */
export const Conflict = z.strictObject({
  conflictsWith: z.string().describe("Name of the artefact that was there already, and stands"),
  kept: z
    .strictObject({
      sha256: z.string().describe("SHA-256 of its bytes"),
      versionId: z.string().describe("S3's version of it"),
    })
    .describe("The version that stands"),
  refused: z
    .strictObject({
      sha256: z.string().describe("SHA-256 of its bytes"),
      document: z.unknown().describe("The document, of the same schema"),
    })
    .describe("What was not written in its place"),
});
export type Conflict = Readonly<z.infer<typeof Conflict>>;

/**
 * The conflict between what lies at a key and the bytes that were to be written there, with the key
 * that keeps it; null where there is none: the bytes are the same, the key is of no run (whoever
 * writes a marker first has the case, which is no conflict), or it is the manifest, after which
 * nothing is added to a run. Named by the hash of what was refused: found twice it is one object.
 */
export function conflictOf(
  kept: Artefact,
  refused: { readonly bytes: string; readonly document: unknown },
): { readonly key: string; readonly conflict: Conflict } | null {
  const digest = sha256(refused.bytes);
  const [, runId = ""] = kept.key.split("/");
  const name = nameInRun(kept.key);
  if (name === null || name === "manifest.json" || digest === kept.sha256) return null;
  const conflictName: ConflictName = `conflict-${name.replace(/\.json$/, "")}-${digest.slice(0, 16)}.json`;
  return {
    key: artefactKey(runId, conflictName),
    conflict: {
      conflictsWith: name,
      kept: { sha256: kept.sha256, versionId: kept.versionId },
      refused: { sha256: digest, document: refused.document },
    },
  };
}
