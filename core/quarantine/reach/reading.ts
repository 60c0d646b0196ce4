/*
 * Policies come from a cluster whose CRDs may be newer than this code, so their fields are read one
 * by one and whatever is not expected is said. JSON's null is a field that is not there, as in Go.
 */
export type Fields = Readonly<Record<string, unknown>>;

/** The fields of an object; null for anything else. */
export function fieldsOf(value: unknown): Fields | null {
  if (!isObject(value)) return null;
  // Almost always every field says something, and there are many objects to read.
  for (const key of Object.keys(value)) if (value[key] == null) return withoutNulls(value);
  return value;
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function withoutNulls(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, each]) => each != null));
}

/** A list, empty when it is not there; null for anything else. */
export function listOf(value: unknown): readonly unknown[] | null {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : null;
}

/** A list of strings, empty when it is not there; null for anything else. */
export function stringsOf(value: unknown): readonly string[] | null {
  const list = listOf(value);
  return list?.every((each) => typeof each === "string") ? list : null;
}

/** The fields that are not among the known ones. */
export function strangers(fields: Fields, known: readonly string[]): readonly string[] {
  return Object.keys(fields).filter((key) => !known.includes(key));
}

/** A port number that a flow can have. */
export function isPort(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65_535;
}
