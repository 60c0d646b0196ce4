/** Labels that a selector selects. */
import type { LabelSelector, Labels } from "../../core/kubernetes.ts";

/** The fewest labels that meet a selector of random-scene.ts; null when none do. */
export function fittingLabels(selector: LabelSelector): Labels | null {
  const { matchLabels = {}, matchExpressions = [] } = selector;
  const keys = [...Object.keys(matchLabels), ...matchExpressions.map(({ key }) => key)];
  let found: Labels | null = {};
  for (const key of new Set(keys)) {
    const value = fittingValue(selector, key);
    if (value === null) return null;
    if (value !== undefined) found = { ...found, [key]: value };
  }
  return found;
}

/** Undefined: the label must or may be missing. Null: nothing fits. */
function fittingValue(
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
  key: string,
): string | undefined | null {
  const conditions = matchExpressions.filter((each) => each.key === key);
  const named = conditions.flatMap(({ values = [] }) => values);
  const wanted = matchLabels[key];
  const candidates = [undefined, ...(wanted === undefined ? [] : [wanted]), ...named, "other"];
  const fits = (value: string | undefined) =>
    (wanted === undefined || value === wanted) &&
    conditions.every(({ operator, values = [] }) => {
      switch (operator) {
        case "In":
          return value !== undefined && values.includes(value);
        case "NotIn":
          return value === undefined || !values.includes(value);
        case "Exists":
          return value !== undefined;
        case "DoesNotExist":
          return value === undefined;
        default:
          throw new Error(`No operator of a selector: ${operator}`);
      }
    });
  const at = candidates.findIndex(fits);
  return at < 0 ? null : candidates[at];
}
