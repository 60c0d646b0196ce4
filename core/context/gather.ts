import { redactText } from "../evidence/redact-text.ts";
import type { Within } from "../within.ts";

/** A source of evidence that gave nothing, and why. */
export interface MissingSource {
  readonly source: string;
  /** Name of the error. */
  readonly error: string;
  readonly reason: string;
}

type Sources<T> = { readonly [Name in keyof T]: () => Promise<T[Name]> };
type Found<T> = { readonly [Name in keyof T]: T[Name] | null };

/**
 * Asks several sources at once, each for as long as the bound allows. What one of them cannot tell
 * is null and in the list; it hides nothing of the others.
 *
 * Errors: those of the evidence store, which are no fault of a source and are worth another attempt.
 */
export async function gather<T extends object>(
  sources: Sources<T>,
  { ms, within }: { readonly ms: number; readonly within: Within },
): Promise<{ readonly found: Found<T>; readonly missing: readonly MissingSource[] }> {
  const missing: MissingSource[] = [];
  const names = Object.keys(sources) as (keyof T & string)[];
  const found = await Promise.all(
    names.map(async (name) => {
      try {
        return [name, await within(ms, sources[name]())] as const;
      } catch (error) {
        if (isOfStore(error)) throw error;
        missing.push(missingSource(name, error));
        return [name, null] as const;
      }
    }),
  );
  return { found: Object.fromEntries(found) as Found<T>, missing };
}

function isOfStore(error: unknown): boolean {
  return error instanceof Error && /^Evidence(Unavailable|Denied)$/.test(error.name);
}

const REASON_LENGTH = 300;

export function missingSource(source: string, error: unknown): MissingSource {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return { source, error: name, reason: redactText(message).slice(0, REASON_LENGTH) };
}

/** Each of these, a few at a time: an API server under attack is not to be flooded by us. */
export async function eachOf<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
  atOnce = 8,
): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += atOnce) {
    results.push(...(await Promise.all(items.slice(at, at + atOnce).map(work))));
  }
  return results;
}
