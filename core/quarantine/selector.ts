import type { LabelSelector, Labels } from "../kubernetes.ts";

/** Kubernetes label selector semantics: every term must hold; an empty selector matches all. */
export function selects(selector: LabelSelector, labels: Labels): boolean {
  const equal = Object.entries(selector.matchLabels ?? {}).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );
  return (
    equal &&
    (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      // Own properties only: a policy may well ask for the label "constructor".
      const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
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
          // The API server admits no other operator; were there one, assume that it selects, so
          // that a policy we cannot read is never left out of a verdict.
          return true;
      }
    })
  );
}
