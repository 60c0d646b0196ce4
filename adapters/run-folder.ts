import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  GetObjectCommand,
  ListObjectVersionsCommand,
  S3Client,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import type { RunFolder } from "../core/evidence/verify.ts";

/** A run that was downloaded to a disk. */
export function localRunFolder(folder: string): RunFolder {
  return {
    async list() {
      const names = await readdir(folder, { recursive: true });
      return names.map((name) => ({ name, versionId: null, versions: 1 }));
    },
    read: (name) => readFile(join(folder, name)),
  };
}

/** A run in the bucket, at `s3://bucket/runs/<run>/`. */
export function bucketRunFolder(url: string, config: S3ClientConfig): RunFolder {
  const { hostname: bucket, pathname } = new URL(url);
  if (bucket === "" || !/^\/runs\/[^/]+\/?$/.test(pathname)) {
    throw new Error(`${url} is no run: it should read s3://bucket/runs/<id>/`);
  }
  const prefix = `${pathname.replace(/^\//, "").replace(/\/$/, "")}/`;
  const s3 = new S3Client(config);
  return {
    async list() {
      // A run has about ten objects: one page of a thousand versions holds them all.
      const {
        Versions = [],
        DeleteMarkers = [],
        IsTruncated,
      } = await s3.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix }));
      if (IsTruncated) throw new Error(`${url} holds over a thousand versions: this is not a run`);
      const byKey = Map.groupBy([...Versions, ...DeleteMarkers], ({ Key = "" }) => Key);
      return Versions.filter(({ IsLatest }) => IsLatest === true).map(
        ({ Key = "", VersionId = "null" }) => ({
          name: Key.slice(prefix.length),
          versionId: VersionId,
          versions: byKey.get(Key)?.length ?? 0,
        }),
      );
    },
    async read(name) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: prefix + name }));
      return (await Body?.transformToByteArray()) ?? new Uint8Array();
    },
  };
}
