import { createHash } from "node:crypto";
import * as z from "zod";

/** Version of the manifest's shape; a reader refuses one that it does not know. */
export const MANIFEST_SCHEMA = "eks-containment/manifest/1";

const Entry = z.object({
  /** Name inside the run's folder, so that a downloaded run verifies as well. */
  name: z.string().regex(/^[a-z]+(-[a-z]+)*(-[0-9]+)?\.json$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.number().int().nonnegative(),
  versionId: z.string(),
  storedAt: z.string(),
});

const Missing = z.object({ state: z.string(), error: z.string(), cause: z.string() });

export const Manifest = z.object({
  schema: z.literal(MANIFEST_SCHEMA),
  runId: z.string(),
  caseId: z.string(),
  execution: z.object({ arn: z.string(), name: z.string(), startedAt: z.string() }),
  productVersion: z.string(),
  sealedAt: z.string(),
  artefacts: z.array(Entry),
  /** Evidence that a state could not take, with the error that it met. */
  missing: z.array(Missing),
});

export type Manifest = z.infer<typeof Manifest>;
export type ManifestEntry = z.infer<typeof Entry>;
export type MissingEvidence = z.infer<typeof Missing>;

/** SHA-256 of some bytes, in hexadecimal. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
