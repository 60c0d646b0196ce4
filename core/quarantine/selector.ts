import type { LabelSelector, Labels } from "../kubernetes.ts";
import { holds, podLabel } from "./reach/label-expression.ts";
import { selectorExpression } from "./reach/label-selector.ts";
import { NO } from "./reach/match.ts";

/**
 * Kubernetes label selector semantics: every term must hold; an empty selector matches all. What the
 * API server would not admit, an operator of the future for one, counts as selecting, so that a
 * policy that we cannot read is never left out of a verdict.
 */
export function selects(selector: LabelSelector, labels: Labels): boolean {
  const expression = selectorExpression(selector, podLabel, () => {});
  // Own properties only: a policy may well ask for the label "constructor".
  const get = (key: string) => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  return holds(expression, { get }) !== NO;
}
