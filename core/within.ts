/**
 * Waits for some work for a number of milliseconds and no longer; then rejects with `OutOfTime`,
 * whatever becomes of the work.
 */
export type Within = <T>(ms: number, work: Promise<T>) => Promise<T>;
