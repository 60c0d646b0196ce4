import * as z from "zod";

/*
 * Who wrote an artefact, and what keeps it as it is. The writer travels as metadata of the object's
 * version: S3 takes it with the bytes, in the same request, and lets nobody change it afterwards.
 */

/** Who wrote one object, as it says itself. */
export const Writer = z.object({
  execution: z.string().describe("ARN of the execution that wrote it"),
  state: z.string().describe("State of the playbook, which is also its function"),
  productVersion: z.string().describe("Version of the product that ran"),
  capturedAt: z.string().describe("The writer's clock at the write, RFC 3339 in UTC"),
});
export type Writer = Readonly<z.infer<typeof Writer>>;

/** What S3 answers when it is asked what keeps a version. */
export const ObjectLock = z.object({
  mode: z
    .enum(["GOVERNANCE", "COMPLIANCE"])
    .describe("Of governance a permitted role may free it, of compliance nobody"),
  retainUntil: z.string().describe("Until when, RFC 3339 in UTC"),
});
export type ObjectLock = Readonly<z.infer<typeof ObjectLock>>;

/** The names under which S3 keeps the writer, as `x-amz-meta-…`. */
export function metadataOf(writer: Writer): Record<string, string> {
  return {
    execution: writer.execution,
    state: writer.state,
    "product-version": writer.productVersion,
    "captured-at": writer.capturedAt,
  };
}

/** The writer that an object names; null when it was not written by the product. */
export function writerIn(metadata: Readonly<Record<string, string>> = {}): Writer | null {
  const { execution, state } = metadata;
  const { "product-version": productVersion, "captured-at": capturedAt } = metadata;
  return Writer.safeParse({ execution, state, productVersion, capturedAt }).data ?? null;
}
