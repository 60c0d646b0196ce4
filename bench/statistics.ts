/** Timings on a shared machine scatter: medians and 90th percentiles, never means. */
export interface Summary {
  readonly n: number;
  readonly p50: number;
  readonly p90: number;
  readonly min: number;
  readonly max: number;
}

/** Summary of some milliseconds, rounded to tenths. Throws when there are none. */
export function summarise(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (quantile: number) => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(quantile * sorted.length))];
    if (value === undefined) throw new Error("nothing was measured");
    return Math.round(value * 10) / 10;
  };
  return { n: sorted.length, p50: at(0.5), p90: at(0.9), min: at(0), max: at(1) };
}
