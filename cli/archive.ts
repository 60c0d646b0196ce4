import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { finished } from "node:stream/promises";
import { Zip, ZipDeflate } from "fflate";

export interface Archive {
  add(name: string, content: Uint8Array | string): Promise<void>;
  /** Completes the file. */
  close(): Promise<void>;
  /** Removes what there is of it. */
  discard(): Promise<void>;
}

/** A ZIP file that is written as its parts come, so that a large case needs little memory. */
export async function openArchive(path: string): Promise<Archive> {
  // `wx`: what somebody exported before is not written over.
  const file = createWriteStream(path, { flags: "wx" });
  await once(file, "open");
  let failure: Error | null = null;
  const zip = new Zip((error, chunk, last) => {
    if (error) failure = error;
    else if (last) file.end(chunk);
    else file.write(chunk);
  });
  return {
    async add(name, content) {
      const part = new ZipDeflate(nameInside(name), { level: 6 });
      zip.add(part);
      part.push(typeof content === "string" ? Buffer.from(content) : content, true);
      if (failure) throw failure;
      if (file.writableNeedDrain) await once(file, "drain");
    },
    async close() {
      zip.end();
      await finished(file);
    },
    async discard() {
      file.destroy();
      await rm(path, { force: true });
    },
  };
}

/**
 * The name as it may stand in an archive: one that leads out of the folder where the archive is
 * unpacked is shown and leads nowhere. Names are keys of the bucket, which whoever takes a function
 * over can choose.
 */
function nameInside(name: string): string {
  return name
    .split("/")
    .map((part) => (/^\.{0,2}$/.test(part) ? `(${part})` : part.replaceAll(/[\\:\p{Cc}]/gu, "_")))
    .join("/");
}
