import { readFile } from "node:fs/promises";
import {
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";

/** What of the bucket the bastion may read. */
export const TOOLS_PREFIX = "tools/";

/** The bucket from which the bastion gets its tools. Checksums are SHA-256 in hex. */
export interface ToolsBucket {
  /** Whether the object is there with these bytes, as S3 knows them. */
  has(key: string, sha256: string): Promise<boolean>;
  /** Uploads a file; S3 refuses it when what arrives does not have the checksum. */
  put(key: string, file: string, sha256: string): Promise<void>;
}

export function toolsBucket(Bucket: string, config: S3ClientConfig): ToolsBucket {
  const s3 = new S3Client(config);
  return {
    async has(Key, sha256) {
      try {
        const { ChecksumSHA256 } = await s3.send(
          new HeadObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }),
        );
        return ChecksumSHA256 === base64(sha256);
      } catch (error) {
        if (error instanceof Error && error.name === "NotFound") return false;
        throw error;
      }
    },
    async put(Key, file, sha256) {
      await s3.send(
        new PutObjectCommand({
          Bucket,
          Key,
          Body: await readFile(file), // whole, so that the SDK can send it again
          ChecksumSHA256: base64(sha256),
        }),
      );
    },
  };
}

function base64(hex: string): string {
  return Buffer.from(hex, "hex").toString("base64");
}
