/*
 * What has to be true of an account, a network and a cluster for the product to work, and what was
 * found of it. The texts of the checks are their documentation.
 */

/** Something that was looked at, or the reason why it could not be. */
export type Observed<T> = Seen<T> | Unseen;

export interface Seen<T> {
  readonly kind: "seen";
  readonly value: T;
}

export interface Unseen {
  readonly kind: "unseen";
  /** A sentence, which names the IAM action that is missing where one is. */
  readonly why: string;
}

export function seen<T>(value: T): Seen<T> {
  return { kind: "seen", value };
}

export function unseen(why: string): Unseen {
  return { kind: "unseen", why };
}

/** Two observations that only tell something together: unseen as soon as one of them is. */
export function both<A, B>(one: Observed<A>, other: Observed<B>): Observed<readonly [A, B]> {
  if (one.kind === "unseen") return one;
  if (other.kind === "unseen") return other;
  return seen([one.value, other.value]);
}

/**
 * What it means when a check fails. `stops`: a deployment would fail, or contain nothing.
 * `breaks`: a stage that is deployed contains nothing until it is mended. `weakens`: it contains,
 * but not as well, or is less private than it could be.
 */
export type Severity = "stops" | "breaks" | "weakens";

/** What to do: a sentence, and the commands that do it, where commands can. */
export interface Remedy {
  readonly advice: string;
  readonly commands: readonly string[];
}

export interface Subject {
  /** The check, in one word, as `authentication-mode`. */
  readonly check: string;
  /** What was looked at, as `cluster prod-eks-1`. */
  readonly subject: string;
}

export type Finding = Subject & { readonly saw: string } & (
    | { readonly outcome: "ok" }
    | { readonly outcome: "wrong"; readonly severity: Severity; readonly remedy: Remedy }
    | { readonly outcome: "unknown"; readonly severity: Severity; readonly remedy: Remedy }
  );

export type WrongFinding = Extract<Finding, { outcome: "wrong" }>;

/** The findings of one check about one subject. */
export function about(check: string, subject: string, severity: Severity) {
  const unknown = (saw: string, advice: string, ...commands: readonly string[]): Finding => {
    return { check, subject, saw, outcome: "unknown", severity, remedy: { advice, commands } };
  };
  const hidden = ({ why }: Unseen) =>
    unknown(why, "Make it visible to whoever runs this, and look again.");
  return {
    unknown,
    /** What was not seen is unknown, never ok. */
    hidden,
    ok: (saw: string): Finding => ({ check, subject, saw, outcome: "ok" }),
    wrong: (saw: string, advice: string, ...commands: readonly string[]): Finding => ({
      ...{ check, subject, saw, outcome: "wrong", severity },
      remedy: { advice, commands },
    }),
    judge<T>(observed: Observed<T>, decide: (value: T) => Finding): Finding {
      return observed.kind === "seen" ? decide(observed.value) : hidden(observed);
    },
  };
}

/** The findings that a deployment must not go past. */
export function stopping(findings: readonly Finding[]): readonly WrongFinding[] {
  return findings.filter((each) => each.outcome === "wrong").filter(stops);
}

function stops({ severity }: WrongFinding): boolean {
  return severity === "stops";
}

/** 0: all ok. 1: something is wrong. 2: nothing is known to be wrong, but not all could be seen. */
export function exitCodeOf(findings: readonly Finding[]): 0 | 1 | 2 {
  if (findings.some(({ outcome }) => outcome === "wrong")) return 1;
  return findings.some(({ outcome }) => outcome === "unknown") ? 2 : 0;
}

const MEANING: Readonly<Record<Severity, string>> = {
  stops: "stops a deployment",
  breaks: "nothing is contained until it is mended",
  weakens: "weakens containment",
};

/** A finding for people, in lines: what was seen, and below it what to do. */
export function findingLines(finding: Finding): readonly string[] {
  const { check, subject, saw, outcome } = finding;
  const head = `${outcome.padEnd(7)}  ${check}, ${subject}: ${saw}`;
  if (outcome === "ok") return [head];
  const { remedy, severity } = finding;
  return [
    outcome === "wrong" ? `${head} (${MEANING[severity]})` : head,
    `         ${remedy.advice}`,
    ...remedy.commands.map((command) => `         $ ${command}`),
  ];
}
