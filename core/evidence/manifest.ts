import { createHash } from "node:crypto";
import * as z from "zod";
import { ObjectLock } from "./custody.ts";

/** Version of the manifest's shape; a reader refuses one that it does not know. */
export const MANIFEST_SCHEMA = "eks-containment/manifest/2";

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const time = (meaning: string) => z.iso.datetime().describe(`${meaning}, RFC 3339 in UTC`);

const Entry = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9]+(-[a-z0-9]+)*\.json$/)
    .describe("Name inside the run's folder, so that a downloaded run verifies as well"),
  schema: z.string().describe("Name and version of the artefact's schema"),
  sha256: Sha256.describe("SHA-256 of its bytes, in hexadecimal"),
  size: z.number().int().nonnegative().describe("Bytes"),
  versionId: z.string().describe("S3's version of the object"),
  storedAt: time("When S3 received it, in whole seconds"),
  capturedAt: time("The writer's clock when it wrote").nullable(),
  state: z.string().nullable().describe("State that wrote it; null when the product did not"),
  productVersion: z.string().nullable().describe("Version of the product that wrote it"),
  lock: ObjectLock.nullable().describe("What S3 said of its lock; null when nothing keeps it"),
});

export const Missing = z.strictObject({
  state: z.string().describe("State that could not take its evidence"),
  error: z.string().describe("Name of the error that it met"),
  cause: z.string().describe("What the error said, cut to 500 characters"),
});

export const WARNINGS = {
  clockSkewed: "a writer's clock and S3's differ",
  clockBackwards: "something was written before what must have come before it",
  writerUnknown: "an object that this execution did not write lies in the run's folder",
} as const;
export type WarningCode = keyof typeof WARNINGS;

const Warning = z.strictObject({
  code: z.enum(Object.keys(WARNINGS) as [WarningCode, ...WarningCode[]]).describe("What is odd"),
  artefact: z.string().describe("Name of the artefact that it is about"),
  message: z.string().describe("The code in words"),
});

/** The manifest of the case's previous run. */
const Previous = z.strictObject({
  runId: z.string().describe("Its run"),
  key: z.string().describe("Its key in the bucket"),
  sha256: Sha256.describe("SHA-256 of its bytes"),
  versionId: z.string().describe("S3's version of it"),
});

export const Manifest = z.strictObject({
  schema: z.literal(MANIFEST_SCHEMA).describe("Name and version of this shape"),
  runId: z.string().describe("Id of the run"),
  caseId: z.string().describe("Id of its case"),
  execution: z
    .strictObject({
      arn: z.string().describe("Its ARN"),
      name: z.string().describe("Its name"),
      startedAt: z.string().describe("When it began, RFC 3339 in UTC"),
    })
    .describe("Execution of the state machine that was the run"),
  productVersion: z.string().describe("Version of the product that sealed it"),
  sealedAt: time("When it was sealed, by the sealing function's clock"),
  previous: Previous.nullable().describe(
    "Manifest of the case's run that was sealed last before this one; null for the first",
  ),
  artefacts: z.array(Entry).readonly().describe("Everything else in the run's folder, by name"),
  missing: z
    .array(Missing)
    .readonly()
    .describe("Evidence that a state could not take, or that nothing locks"),
  warnings: z
    .array(Warning)
    .readonly()
    .describe("What was odd at sealing: clocks that differ, objects of unknown writers"),
});

export type Manifest = Readonly<z.infer<typeof Manifest>>;
export type ManifestEntry = Readonly<z.infer<typeof Entry>>;
export type MissingEvidence = Readonly<z.infer<typeof Missing>>;
export type Warning = Readonly<z.infer<typeof Warning>>;
export type PreviousRun = Readonly<z.infer<typeof Previous>>;

/**
 * What the case keeps of a run that was sealed, at `cases/<case>/runs/<run>.json`. It lies outside
 * of the run's folder and is written after the manifest, so that a manifest that somebody puts in
 * the place of the sealed one is not the one recorded.
 */
export const RunRecord = z.strictObject({
  caseId: z.string().describe("Id of the case"),
  runId: z.string().describe("Id of the run"),
  manifest: z
    .strictObject({
      key: z.string().describe("Its key in the bucket"),
      sha256: Sha256.describe("SHA-256 of its bytes"),
      size: z.number().int().nonnegative().describe("Bytes"),
      versionId: z.string().describe("S3's version of it"),
      lock: ObjectLock.nullable().describe("What S3 said of its lock; null when nothing keeps it"),
    })
    .describe("The manifest as it was sealed, and what S3 said of its lock"),
});
export type RunRecord = Readonly<z.infer<typeof RunRecord>>;

/** SHA-256 of some bytes, in hexadecimal. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The manifest, or what is wrong with it. */
export function parseManifest(bytes: Uint8Array): Manifest | string {
  try {
    const document: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    const parsed = Manifest.safeParse(document);
    if (parsed.success) return parsed.data;
    const { schema, productVersion } = Object(document);
    if (/^eks-containment\/manifest\/\d+$/.test(schema) && schema !== MANIFEST_SCHEMA) {
      return (
        `is of ${schema}, this version of the product reads only ${MANIFEST_SCHEMA}: ` +
        `verify it with the version that sealed it (${productVersion})`
      );
    }
    const issue = parsed.error.issues[0];
    return `is not a manifest: ${issue?.path.join(".")}: ${issue?.message}`;
  } catch (error) {
    return `is not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}
