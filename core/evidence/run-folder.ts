import * as z from "zod";
import { ObjectLock, Writer } from "./custody.ts";
import { RunRecord } from "./manifest.ts";

/** A run's folder, wherever it lies: the bucket, or a copy on an analyst's disk. */
export interface RunFolder {
  /** The run that the place itself names; null where anybody may have named the folder. */
  readonly runId: string | null;
  list(): Promise<readonly RunFile[]>;
  read(name: string): Promise<Uint8Array>;
  /** What the case keeps of its runs; null where nothing but the folder is at hand. */
  records(caseId: string): Promise<readonly KeptRecord[] | null>;
  /** The manifest of another run; null when it is gone, `notAtHand` when it cannot be known. */
  manifestOf(runId: string): Promise<ManifestElsewhere | null | "notAtHand">;
}

export interface ManifestElsewhere {
  readonly bytes: Uint8Array;
  /** Null where no store tells versions. */
  readonly stored: StoredFile | null;
}

const StoredFile = z.strictObject({
  versionId: z.string().nullable().describe("Of the newest version; null when it was deleted"),
  versions: z.number().int().describe("How often it was written or deleted; evidence: once"),
  storedAt: z.string().describe("When S3 received it"),
  writer: Writer.nullable().describe("Null when the product did not write it"),
  lock: ObjectLock.nullable().describe("Null when nothing keeps it"),
});
/** What the store tells of a file besides its bytes. */
export type StoredFile = Readonly<z.infer<typeof StoredFile>>;

export interface RunFile {
  readonly name: string;
  /** Null where no store can be asked. */
  readonly stored: StoredFile | null;
}

const KeptRecord = z.strictObject({
  key: z.string().describe("Its key in the bucket"),
  storedAt: z.string().describe("When S3 received it"),
  versions: z.number().int().describe("How often it was written or deleted"),
  record: RunRecord.nullable().describe("Null when it is not what a run writes"),
});
export type KeptRecord = Readonly<z.infer<typeof KeptRecord>>;

/**
 * What only the bucket knows of a run, written down beside a downloaded copy, as `<run>.versions.json`
 * next to the folder `<run>`: with it the copy verifies as the bucket does. It proves as much as the
 * way it came by: whoever can change it can change the copy too.
 */
export const VersionsListing = z.strictObject({
  schema: z.literal("eks-containment/versions/1").describe("Name and version of this shape"),
  runId: z.string().describe("The run that it is of"),
  listedAt: z.string().describe("RFC 3339 in UTC"),
  files: z
    .array(
      z.strictObject({
        name: z.string().describe("Name inside the run's folder"),
        stored: StoredFile.describe("What the bucket knows of it"),
      }),
    )
    .readonly()
    .describe("Every object of the run"),
  records: z.array(KeptRecord).readonly().describe("What the case keeps of its runs"),
});
export type VersionsListing = Readonly<z.infer<typeof VersionsListing>>;

/** The listing of a run in the bucket, to be put beside a copy of it. */
export async function listVersions(
  folder: RunFolder,
  { runId, caseId }: { readonly runId: string; readonly caseId: string },
  now: () => Date,
): Promise<VersionsListing> {
  const files = await folder.list();
  return {
    schema: "eks-containment/versions/1",
    runId,
    listedAt: now().toISOString(),
    files: files.flatMap(({ name, stored }) => (stored ? [{ name, stored }] : [])),
    records: (await folder.records(caseId)) ?? [],
  };
}
