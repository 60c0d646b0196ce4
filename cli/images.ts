import type { Crane } from "./crane.ts";

/** An image of the settings, where it comes from and where it is to be. */
export interface ImageCopy {
  /** Name of the repository in the settings: `uptime-kuma`. */
  readonly name: string;
  /** `docker.io/louislam/uptime-kuma:2-slim-rootless@sha256:…` */
  readonly source: string;
  /** `sha256:…` */
  readonly digest: string;
  /** `<account>.dkr.ecr.<region>.amazonaws.com/<stage>-…/uptime-kuma` */
  readonly repository: string;
}

export type Outcome =
  /** It was there, with the right digest. */
  | "present"
  /** It was not there and now is, and was read back. */
  | "copied"
  /** It is not there; a dry run copies nothing. */
  | "missing";

/** The target holds something else under an image's tag. */
export class ImageDiffers extends Error {
  override readonly name = "ImageDiffers";
}

/** What is to be copied for a stage, in the order of its settings. */
export function copiesOf(images: Readonly<Record<string, string>>, registry: string): ImageCopy[] {
  return Object.entries(images).map(([name, source]) => ({
    name,
    source,
    digest: digestIn(source),
    repository: `${registry}/${name}`,
  }));
}

/** The image as a manifest names it: by digest, in the private registry. */
export function privateReference({ repository, digest }: ImageCopy): string {
  return `${repository}@${digest}`;
}

/**
 * The tag of a copy. Tags are immutable there, so it is made of the digest: what it names can never
 * become something else, and another version gets another tag. Not `sha256-…`: clients look under
 * that one for what refers to an image.
 */
export function tagOf({ digest }: Pick<ImageCopy, "digest">): string {
  return digest.replace("sha256:", "digest-");
}

/**
 * Brings one image into its repository, unless it is there, and reads it back. May be repeated after
 * any interruption: what arrived is not sent again. Throws `ImageDiffers` when the target holds
 * something else under the image's tag.
 */
export async function bring(image: ImageCopy, crane: Crane, dryRun: boolean): Promise<Outcome> {
  const target = `${image.repository}:${tagOf(image)}`;
  const there = await crane.digest(target);
  if (there !== null && there !== image.digest) {
    throw new ImageDiffers(
      `${target} holds ${there}. Somebody put another image under this tag: delete it, then copy again.`,
    );
  }
  if (there === image.digest) {
    await crane.verify(image.repository, image.digest);
    return "present";
  }
  if (dryRun) return "missing";
  await crane.copy(image.source, target);
  await crane.verify(image.repository, image.digest);
  return "copied";
}

/** What a tag means today, as the settings take it: the repository's name and the pinned reference. */
export async function pin(
  reference: string,
  crane: Crane,
): Promise<{ readonly name: string; readonly reference: string }> {
  if (reference.includes("@")) throw new Error(`${reference} is pinned already`);
  const digest = await crane.digest(reference);
  if (digest === null) throw new Error(`the registry has no ${reference}`);
  const [name = ""] = (reference.split("/").at(-1) ?? "").split(":");
  return { name, reference: `${reference}@${digest}` };
}

function digestIn(source: string): string {
  return source.slice(source.lastIndexOf("@") + 1); // the settings' schema asks for one
}
