/** Something that could not be preserved, and why. */
export interface NotPreserved {
  readonly what: string;
  readonly reason: string;
}

/** As many as a state hands on: the rest is in evidence, and a state's payload is limited. */
const HANDED_ON = 20;

/** What a state hands on of a list that lies whole in `artefact`. */
export function handedOn(
  notPreserved: readonly NotPreserved[],
  artefact: string,
): readonly NotPreserved[] {
  const more = notPreserved.length - HANDED_ON;
  if (more <= 0) return notPreserved;
  return [...notPreserved.slice(0, HANDED_ON), { what: `${more} more`, reason: `see ${artefact}` }];
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
