import { GetObjectRetentionCommand, type S3Client } from "@aws-sdk/client-s3";
import type { ObjectLock } from "../../core/evidence/custody.ts";

/** S3's errors for a version, and for a bucket, that nothing keeps. */
const NOT_LOCKED = ["NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"];

/** What keeps a version from being deleted, as S3 says; null when nothing does. Errors: S3's own. */
export async function readLock(
  s3: S3Client,
  version: { readonly Bucket: string; readonly Key: string; readonly VersionId?: string },
): Promise<ObjectLock | null> {
  try {
    const { Retention } = await s3.send(new GetObjectRetentionCommand(version));
    if (!Retention?.Mode || !Retention.RetainUntilDate) return null;
    return { mode: Retention.Mode, retainUntil: Retention.RetainUntilDate.toISOString() };
  } catch (error) {
    if (error instanceof Error && NOT_LOCKED.includes(error.name)) return null;
    throw error;
  }
}
