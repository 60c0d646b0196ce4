import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import type { Reader } from "../core/case/standing.ts";
import type { AwsConfig } from "./stage.ts";

/** Documents of an evidence bucket, with the credentials of whoever looks. */
export function evidenceReader(Bucket: string, aws: AwsConfig): Reader {
  const s3 = new S3Client(aws);
  return {
    async read<T>(Key: string) {
      try {
        const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
        const document: T = JSON.parse((await Body?.transformToString()) ?? "null");
        return { document };
      } catch (error) {
        if (error instanceof Error && error.name === "NoSuchKey") return null;
        throw error;
      }
    },
  };
}
