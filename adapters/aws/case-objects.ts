import {
  GetObjectCommand,
  paginateListObjectsV2,
  S3Client,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";

/** The objects of a case in the evidence bucket, read by a person with their own rights. */
export function caseObjects(Bucket: string, config: S3ClientConfig) {
  const s3 = new S3Client(config);
  return {
    async keys(Prefix: string): Promise<readonly string[]> {
      const found: string[] = [];
      for await (const { Contents = [] } of paginateListObjectsV2(
        { client: s3 },
        { Bucket, Prefix },
      )) {
        found.push(...Contents.flatMap(({ Key }) => Key ?? []));
      }
      return found;
    },
    async read(Key: string): Promise<Uint8Array> {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
      return (await Body?.transformToByteArray()) ?? new Uint8Array();
    },
  };
}
