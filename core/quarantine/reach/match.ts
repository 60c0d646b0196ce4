/**
 * Whether a condition holds: no, maybe, yes. *Maybe* is what keeps an answer honest about what this
 * code cannot know (a selector of the future, the addresses of a domain name): a rule that allows
 * counts from maybe on, a rule that denies only when it is yes, and `not maybe` is maybe again.
 */
export type Match = 0 | 1 | 2;

export const NO = 0;
export const MAYBE = 1;
export const YES = 2;

export function not(match: Match): Match {
  return match === NO ? YES : match === YES ? NO : MAYBE;
}

/** All of them hold, for the one thing that they are about; yes for none. */
export function every<T, Of>(items: readonly T[], test: (item: T, of: Of) => Match, of: Of): Match {
  let least: Match = YES;
  for (const item of items) {
    const match = test(item, of);
    if (match === NO) return NO;
    if (match < least) least = match;
  }
  return least;
}

/** One of them holds, for the one thing that they are about; no for none. */
export function some<T, Of>(items: readonly T[], test: (item: T, of: Of) => Match, of: Of): Match {
  let most: Match = NO;
  for (const item of items) {
    const match = test(item, of);
    if (match === YES) return YES;
    if (match > most) most = match;
  }
  return most;
}
