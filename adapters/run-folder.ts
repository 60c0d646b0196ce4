import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import {
  type DeleteMarkerEntry,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandInput,
  type ListObjectVersionsCommandOutput,
  type ObjectVersion,
  S3Client,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import { writerIn } from "../core/evidence/custody.ts";
import { artefactKey, runPrefix, runRecordsPrefix } from "../core/evidence/keys.ts";
import { RunRecord } from "../core/evidence/manifest.ts";
import { type RunFolder, type StoredFile, VersionsListing } from "../core/evidence/run-folder.ts";
import { readLock } from "./aws/object-lock.ts";

/**
 * A run that was downloaded to a disk. `<folder>.versions.json` beside it is what the bucket knew;
 * other runs of the case are looked for beside it too, in folders named for them.
 */
export function localRunFolder(path: string): RunFolder {
  const folder = resolve(path);
  const listing = versionsBeside(folder);
  return {
    // Anybody may have named the folder; the listing was made for one run.
    runId: null,
    async list() {
      const names = await readdir(folder, { recursive: true });
      const known = (await listing)?.files ?? [];
      const stored = new Map(known.map((file) => [file.name, file.stored]));
      const gone = known
        .filter(({ name }) => !names.includes(name))
        .map((file) => ({ name: file.name, stored: { ...file.stored, versionId: null } }));
      return [...names.map((name) => ({ name, stored: stored.get(name) ?? null })), ...gone];
    },
    read: (name) => readFile(join(folder, name)),
    records: async (caseId) =>
      (await listing)?.records.filter(({ key }) => key.startsWith(runRecordsPrefix(caseId))) ??
      null,
    async manifestOf(runId) {
      if (basename(runId) !== runId) return "notAtHand";
      const other = join(dirname(folder), runId);
      const bytes = await unlessAbsent(readFile(join(other, "manifest.json")));
      if (!bytes) return "notAtHand";
      const known = (await versionsBeside(other))?.files ?? [];
      return { bytes, stored: known.find(({ name }) => name === "manifest.json")?.stored ?? null };
    },
  };
}

async function versionsBeside(folder: string): Promise<VersionsListing | null> {
  const file = `${folder}.versions.json`;
  const text = await unlessAbsent(readFile(file, "utf8"));
  return text === null ? null : VersionsListing.parse(JSON.parse(text));
}

function unlessAbsent<T>(read: Promise<T>): Promise<T | null> {
  return read.catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
    throw error;
  });
}

/** A run in the bucket, at `s3://bucket/runs/<run>/`. Needs to read objects, versions and locks. */
export function bucketRunFolder(url: string, config: S3ClientConfig): RunFolder {
  const { hostname: bucket, pathname } = new URL(url);
  const runId = /^\/runs\/([^/]+)\/?$/.exec(pathname)?.[1];
  if (bucket === "" || runId === undefined) {
    throw new Error(`${url} is no run: it should read s3://bucket/runs/<id>/`);
  }
  const prefix = runPrefix(runId);
  const s3 = new S3Client(config);

  /** Every key under a prefix, with what the bucket knows of it. */
  async function stored(under: string) {
    const Versions: ObjectVersion[] = [];
    const DeleteMarkers: DeleteMarkerEntry[] = [];
    for (
      let more: ListObjectVersionsCommandInput | null = { Bucket: bucket, Prefix: under };
      more;
    ) {
      const page: ListObjectVersionsCommandOutput = await s3.send(
        new ListObjectVersionsCommand(more),
      );
      Versions.push(...(page.Versions ?? []));
      DeleteMarkers.push(...(page.DeleteMarkers ?? []));
      const { IsTruncated, NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page;
      more = IsTruncated ? { Bucket: bucket, Prefix: under, KeyMarker, VersionIdMarker } : null;
    }
    const byKey = Map.groupBy([...Versions, ...DeleteMarkers], ({ Key = "" }) => Key);
    return Promise.all(
      [...byKey].map(async ([key, all]) => {
        const newest = Versions.find(({ Key, IsLatest }) => Key === key && IsLatest === true);
        return { key, stored: await describe(key, newest, all.length) };
      }),
    );
  }

  async function describe(
    Key: string,
    newest: ObjectVersion | undefined,
    versions: number,
  ): Promise<StoredFile> {
    if (!newest) return { versionId: null, versions, storedAt: "", writer: null, lock: null };
    const { VersionId, LastModified } = newest;
    const object = { Bucket: bucket, Key, ...(VersionId && { VersionId }) };
    const [{ Metadata }, lock] = await Promise.all([
      s3.send(new HeadObjectCommand(object)),
      readLock(s3, object),
    ]);
    return {
      versionId: VersionId ?? "null",
      versions,
      storedAt: LastModified?.toISOString() ?? "",
      writer: writerIn(Metadata),
      lock,
    };
  }

  async function read(Key: string): Promise<Uint8Array> {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
    return (await Body?.transformToByteArray()) ?? new Uint8Array();
  }

  async function recordAt(key: string): Promise<RunRecord | null> {
    try {
      return RunRecord.safeParse(JSON.parse(Buffer.from(await read(key)).toString())).data ?? null;
    } catch (error) {
      if (error instanceof SyntaxError) return null;
      throw error;
    }
  }

  return {
    runId,
    list: async () =>
      (await stored(prefix)).map(({ key, stored }) => ({ name: key.slice(prefix.length), stored })),
    read: (name) => read(prefix + name),
    async records(caseId) {
      const there = await stored(runRecordsPrefix(caseId));
      return Promise.all(
        there.map(async ({ key, stored: { versionId, versions, storedAt } }) => ({
          ...{ key, versions, storedAt },
          record: versionId === null ? null : await recordAt(key),
        })),
      );
    },
    async manifestOf(other) {
      const key = artefactKey(other, "manifest.json");
      const there = (await stored(key)).find((each) => each.key === key);
      if (!there || there.stored.versionId === null) return null;
      return { bytes: await read(key), stored: there.stored };
    },
  };
}
