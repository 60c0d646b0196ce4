import * as z from "zod";
import { ARTEFACTS, type Published } from "../../core/evidence/schemas/artefacts.ts";

const PATTERNS = Object.entries(ARTEFACTS).map(([pattern, published]) => {
  const text = pattern.replaceAll(".", "\\.").replaceAll("*", ".+");
  return { pattern, published, matches: new RegExp(`^${text}$`) };
});

/** The schema that is published for a key: of several patterns the longest. */
export function publishedAt(key: string): Published | null {
  const found = PATTERNS.filter(({ matches }) => matches.test(key));
  const [longest] = found.toSorted((one, other) => other.pattern.length - one.pattern.length);
  return longest?.published ?? null;
}

/** What an object has that its published schema does not, in words; null when it is as published. */
export function unpublished(key: string, text: string): string | null {
  const published = publishedAt(key);
  if (!published) return `${key} has no published schema`;
  const parsed = published.schema.safeParse(JSON.parse(text));
  return parsed.success ? null : `${key}: ${z.prettifyError(parsed.error)}`;
}
