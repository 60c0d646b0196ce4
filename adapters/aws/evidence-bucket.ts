import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type ObjectVersion,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import { PermanentError, TransientError } from "../../core/errors.ts";
import { conflictOf } from "../../core/evidence/conflict.ts";
import { metadataOf, type ObjectLock, type Writer, writerIn } from "../../core/evidence/custody.ts";
import { sha256 } from "../../core/evidence/manifest.ts";
import {
  type Artefact,
  type EvidenceStore,
  type InspectedArtefact,
  type Stored,
  toBytes,
} from "../../core/evidence/store.ts";
import type { EvidenceNeeds } from "../../core/needs.ts";
import { kindOf } from "./errors.ts";
import { readLock } from "./object-lock.ts";
import type { Statement } from "./statement.ts";

/** Open-case markers: the only keys that are ever freed. */
const MARKERS = "open/";

/** What S3 answers where a key is free, or holds something else than was meant. */
const NO_LONGER_THERE = new Set(["NotFound", "NoSuchKey", "PreconditionFailed"]);

/**
 * Evidence in an S3 bucket with versioning and Object Lock. Every write is conditional
 * (`If-None-Match: *`), which the bucket's policy demands of everybody, S3 checks the SHA-256 of
 * what it receives before it answers, and takes the writer as metadata in the same request.
 *
 * @param writer who writes now; asked at every write, as one function serves many executions. Left
 * out by those who only read
 */
export function evidenceBucket(
  bucket: string,
  config: S3ClientConfig,
  writer: () => Writer = nobody,
): EvidenceStore {
  const s3 = new S3Client(config);

  async function get(key: string, versionId?: string): Promise<GottenObject | null> {
    try {
      const object = await s3.send(
        new GetObjectCommand({ Bucket: bucket, Key: key, VersionId: versionId }),
      );
      const bytes = (await object.Body?.transformToByteArray()) ?? new Uint8Array();
      return { bytes, versionId: object.VersionId ?? "null", writer: writerIn(object.Metadata) };
    } catch (error) {
      if (error instanceof Error && error.name === "NoSuchKey") return null;
      throw translated(error, `read s3://${bucket}/${key}`);
    }
  }

  async function read<T>(key: string): Promise<Stored<T> | null> {
    const object = await get(key);
    if (!object) return null;
    const document: T = JSON.parse(Buffer.from(object.bytes).toString("utf8"));
    return { document, artefact: artefactOf(key, object) };
  }

  async function versions(prefix: string): Promise<ObjectVersion[]> {
    const all: ObjectVersion[] = [];
    let after: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } | null = {};
    try {
      while (after !== null) {
        const page: ListObjectVersionsCommandOutput = await s3.send(
          new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix, ...after }),
        );
        all.push(...(page.Versions ?? []));
        after = page.IsTruncated
          ? { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker }
          : null;
      }
    } catch (error) {
      throw translated(error, `list s3://${bucket}/${prefix}`);
    }
    return all;
  }

  /** Writes to a free key; null when it is taken. */
  async function put(key: string, bytes: string): Promise<Artefact | null> {
    const digest = sha256(bytes);
    try {
      const { VersionId: versionId = "null" } = await s3.send(
        new PutObjectCommand({
          Bucket: bucket,
          Key: key,
          Body: bytes,
          ContentType: "application/json",
          ChecksumSHA256: Buffer.from(digest, "hex").toString("base64"),
          IfNoneMatch: "*",
          Metadata: metadataOf(writer()),
        }),
      );
      return { key, sha256: digest, size: Buffer.byteLength(bytes), versionId };
    } catch (error) {
      if (error instanceof Error && error.name === "PreconditionFailed") return null;
      throw translated(error, `write s3://${bucket}/${key}`);
    }
  }

  async function lockOf(Key: string, VersionId?: string): Promise<ObjectLock | null> {
    try {
      return await readLock(s3, { Bucket: bucket, Key, ...(VersionId && { VersionId }) });
    } catch (error) {
      throw translated(error, `read the lock of s3://${bucket}/${Key}`);
    }
  }

  return {
    read,

    async putOnce<T>(key: string, document: T) {
      const bytes = toBytes(document);
      const artefact = await put(key, bytes);
      if (artefact) return { created: true, document, artefact };
      const kept = await read<T>(key);
      if (!kept) {
        // Freed between the two calls: the next attempt of the state writes it.
        throw new TransientError("EvidenceUnavailable", `s3://${bucket}/${key} was freed just now`);
      }
      const found = conflictOf(kept.artefact, { bytes, document });
      if (found) await put(found.key, toBytes(found.conflict));
      return { created: false, ...kept };
    },

    async inspect(prefix) {
      const found: InspectedArtefact[] = [];
      for (const { Key: key = "", VersionId, IsLatest, LastModified } of await versions(prefix)) {
        if (IsLatest !== true) continue;
        const [object, lock] = await Promise.all([get(key, VersionId), lockOf(key, VersionId)]);
        const storedAt = LastModified?.toISOString() ?? "";
        if (object)
          found.push({ ...artefactOf(key, object), storedAt, writer: object.writer, lock });
      }
      return found;
    },

    async list(prefix, limit, after) {
      try {
        const { Contents = [] } = await s3.send(
          new ListObjectsV2Command({
            ...{ Bucket: bucket, Prefix: prefix, MaxKeys: limit },
            ...(after !== undefined && { StartAfter: after }),
          }),
        );
        return Contents.map(({ Key: key = "", LastModified }) => ({
          key,
          storedAt: LastModified?.toISOString() ?? "",
        }));
      } catch (error) {
        throw translated(error, `list s3://${bucket}/${prefix}`);
      }
    },

    async free({ key: Key, versionId }) {
      if (!Key.startsWith(MARKERS)) throw new Error(`${Key} is evidence: it is never deleted`);
      const at = { Bucket: bucket, Key };
      try {
        const { VersionId, ETag } = await s3.send(new HeadObjectCommand(at));
        if (VersionId !== versionId) return;
        await s3.send(new DeleteObjectCommand({ ...at, IfMatch: ETag }));
      } catch (error) {
        if (error instanceof Error && NO_LONGER_THERE.has(error.name)) return;
        throw translated(error, `free s3://${bucket}/${Key}`);
      }
    },
  };
}

function nobody(): never {
  throw new Error("this evidence store was opened to read: a write must say who writes");
}

/** Where evidence lies. */
export interface EvidencePlace {
  readonly bucketArn: string;
  /** The key that encrypts the bucket. */
  readonly evidenceKeyArn: string;
  /** S3's name among the services that use a key: `s3.us-east-1.amazonaws.com`. */
  readonly s3Service: string;
}

/** What IAM must allow for what a state needs of the bucket. */
export function evidenceStatements(
  { writes = [], reads = [], inspects = [], frees = [], lists = [] }: EvidenceNeeds,
  { bucketArn, evidenceKeyArn, s3Service }: EvidencePlace,
): readonly Statement[] {
  const readable = [...new Set([...reads, ...writes])]; // what is taken already is read
  const lookedAt = [...new Set([...readable, ...frees])]; // it is freed as it was seen
  // Whoever may not list gets 403 instead of 404 for what is not there. A key that is written once
  // is there when it is read back, except for a marker, which may be freed in between.
  const markers = writes.filter((key) => key.startsWith(MARKERS));
  const mayBeAbsent = [...reads, ...lists, ...frees, ...markers];
  // What a state that runs again would have written over what is there.
  const conflicts = writes.some((key) => key.startsWith("runs/")) ? ["runs/*/conflict-*.json"] : [];
  const objects = (keys: readonly string[]) => keys.map((key) => `${bucketArn}/${key}`);
  const forAny = (keys: readonly string[], arn: string) => (keys.length > 0 ? [arn] : []);
  const listed = { StringLike: { "s3:prefix": [...inspects] } };
  const throughS3 = { StringEquals: { "kms:ViaService": s3Service } };
  const statements: readonly Statement[] = [
    { actions: ["s3:PutObject"], resources: objects([...writes, ...conflicts]) },
    { actions: ["s3:GetObject"], resources: objects(lookedAt) },
    { actions: ["s3:ListBucket"], resources: forAny(mayBeAbsent, bucketArn) },
    {
      actions: ["s3:ListBucketVersions"],
      resources: forAny(inspects, bucketArn),
      conditions: listed,
    },
    {
      actions: ["s3:GetObjectVersion", "s3:GetObjectRetention"],
      resources: objects(inspects),
    },
    { actions: ["s3:DeleteObject"], resources: objects(frees) },
    {
      actions: ["kms:GenerateDataKey"],
      resources: forAny(writes, evidenceKeyArn),
      conditions: throughS3,
    },
    {
      actions: ["kms:Decrypt"],
      resources: forAny([...readable, ...inspects], evidenceKeyArn),
      conditions: throughS3,
    },
  ];
  return statements.filter(({ resources }) => resources.length > 0);
}

interface GottenObject {
  readonly bytes: Uint8Array;
  readonly versionId: string;
  readonly writer: Writer | null;
}

function artefactOf(key: string, { bytes, versionId }: GottenObject): Artefact {
  return { key, sha256: sha256(bytes), size: bytes.byteLength, versionId };
}

function translated(error: unknown, what: string): unknown {
  if (error instanceof TransientError || error instanceof PermanentError) return error;
  const cause = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const denied = kindOf(error) === "denied" || /NoSuchBucket/.test(cause);
  return denied
    ? new PermanentError(
        "EvidenceDenied",
        `${what}: ${cause}. Check the bucket and this function's role, then redrive.`,
        { cause: error },
      )
    : new TransientError("EvidenceUnavailable", `${what}: ${cause}`, { cause: error });
}
