import type { Verdict } from "../quarantine/verdict.ts";

/** A reason of a verdict, or a finding beside it. */
export interface Mark {
  readonly code: string;
  readonly message: string;
  readonly policies?: readonly string[] | undefined;
  readonly pods?: readonly string[] | undefined;
}

/** Codes whose message names each object for itself, in words that do not change from look to look. */
const NAMED: readonly string[] = [
  ...["policyMissing", "policyChanged", "podReplaced", "ownedAgain", "serviceSelects"],
  ...["nodeGone", "nodeUncordoned", "protectionLost"],
];

/**
 * What a mark is about, so that the same thing seen twice is one. Which pods of a namespace are
 * concerned is left out: they come and go, and a change of theirs is none of the containment.
 */
function subjectsOf({ code, message, policies = [] }: Mark): readonly string[] {
  if (policies.length > 0) return policies.map((policy) => `${code} ${policy}`);
  return [NAMED.includes(code) ? `${code} ${message}` : code];
}

function subjects(marks: readonly Mark[]): ReadonlySet<string> {
  return new Set(marks.flatMap(subjectsOf));
}

/** What stands now and did not when the baseline was taken. */
export function since<M extends Mark>(baseline: readonly Mark[], now: readonly M[]): readonly M[] {
  const known = subjects(baseline);
  return now.filter((mark) => subjectsOf(mark).some((subject) => !known.has(subject)));
}

/** Whether two looks saw the same. */
export function sameMarks(one: readonly Mark[], other: readonly Mark[]): boolean {
  const [here, there] = [subjects(one), subjects(other)];
  return here.size === there.size && [...here].every((subject) => there.has(subject));
}

/** An event rather than a state: at the next look it is over, and that is no news. */
const MOMENTARY = "agentReplaced";

export type LaterVerdict = Verdict["verdict"] | "unverified";

/** What one look came to, beside what was known before it. */
export interface Looked {
  readonly verdict: LaterVerdict;
  readonly drift: readonly Mark[];
}

/**
 * What people are told of a look: that the containment has `drifted` since they last heard, that it
 * `holds` again, or nothing.
 */
export function newsOf(before: Looked | null, now: Looked): "drifted" | "holds" | null {
  if (now.verdict === "unverified") return null; // an alarm watches that; what holds is not known
  if (since(before?.drift ?? [], now.drift).length > 0) return "drifted";
  if (now.drift.length > 0) return null;
  // Before the first look: the run ended without a verdict, and people were told so.
  if (before === null) return "holds";
  return before.drift.some(({ code }) => code !== MOMENTARY) ? "holds" : null;
}
