import {
  both,
  EVERY_POD,
  inNamespace,
  type LabelExpression,
  NAMESPACE,
  namespaceLabel,
  podLabel,
  SERVICE_ACCOUNT,
  UNCLEAR_PODS,
} from "./label-expression.ts";
import { fieldsOf, listOf, strangers, stringsOf } from "./reading.ts";

type Problem = (why: string) => void;

/** The attribute that a label key of a selector means; null: none that is known here. */
type KeyOf = (key: string) => string | null;

/**
 * A Kubernetes label selector: every term must hold, an empty one selects all. What is not
 * understood selects maybe.
 */
export function selectorExpression(
  selector: unknown,
  keyOf: KeyOf,
  problem: Problem,
): LabelExpression {
  const fields = fieldsOf(selector);
  const expressions = listOf(fields?.matchExpressions);
  const labels = fields?.matchLabels === undefined ? {} : fieldsOf(fields.matchLabels);
  if (!fields || !expressions || !labels) {
    problem("a selector that is no label selector");
    return UNCLEAR_PODS;
  }
  const unknown = strangers(fields, ["matchLabels", "matchExpressions"]);
  if (unknown.length > 0) problem(`a selector with ${unknown.join(", ")}`);
  const equal = Object.entries(labels).map(([label, value]): LabelExpression => {
    const key = keyOf(label);
    if (key !== null && typeof value === "string") return { is: "in", key, values: [value] };
    problem(`the label ${label} in a selector`);
    return UNCLEAR_PODS;
  });
  return both(
    ...equal,
    ...expressions.map((each) => requirement(each, keyOf, problem)),
    unknown.length > 0 ? UNCLEAR_PODS : EVERY_POD,
  );
}

function requirement(value: unknown, keyOf: KeyOf, problem: Problem): LabelExpression {
  const fields = fieldsOf(value);
  const values = stringsOf(fields?.values);
  const key = typeof fields?.key === "string" ? keyOf(fields.key) : null;
  const unclear = (why: string) => {
    problem(why);
    return UNCLEAR_PODS;
  };
  if (!fields || !values || key === null) return unclear("an expression of a selector");
  const unknown = strangers(fields, ["key", "operator", "values"]);
  if (unknown.length > 0) return unclear(`an expression with ${unknown.join(", ")}`);
  switch (fields.operator) {
    case "In":
    case "NotIn": {
      if (values.length === 0) return unclear(`${fields.operator} without values`);
      const within: LabelExpression = { is: "in", key, values };
      return fields.operator === "In" ? within : { is: "not", of: within };
    }
    case "Exists":
      return { is: "has", key };
    case "DoesNotExist":
      return { is: "not", of: { is: "has", key } };
    default:
      return unclear(`the operator ${JSON.stringify(fields.operator)}`);
  }
}

/** Pods of one namespace by their labels; every pod of it when there is no selector. */
export function podsIn(namespace: string, selector: unknown, problem: Problem): LabelExpression {
  const pods = selector == null ? EVERY_POD : selectorExpression(selector, podLabel, problem);
  return both(inNamespace(namespace), pods);
}

/** Pods by the labels of their namespace and their own; a selector that is missing selects all. */
export function podsOf(
  namespaceSelector: unknown,
  podSelector: unknown,
  problem: Problem,
): LabelExpression {
  const part = (selector: unknown, keyOf: KeyOf) =>
    selector == null ? EVERY_POD : selectorExpression(selector, keyOf, problem);
  return both(part(namespaceSelector, namespaceLabel), part(podSelector, podLabel));
}

const CILIUM_NAMESPACE_LABELS = "io.cilium.k8s.namespace.labels.";

/**
 * What Cilium's label keys mean. A key may carry its source: `k8s:` and `any:` are Kubernetes',
 * another one (`reserved:`, `container:`) is nothing that is known here.
 */
export function ciliumKey(written: string): string | null {
  const key = written.replace(/^(k8s|any)[:.]/, "");
  if (/^[a-z]+:/.test(key)) return null;
  if (key === "io.kubernetes.pod.namespace") return NAMESPACE;
  if (key === "io.cilium.k8s.policy.serviceaccount") return SERVICE_ACCOUNT;
  if (key.startsWith(CILIUM_NAMESPACE_LABELS)) {
    return namespaceLabel(key.slice(CILIUM_NAMESPACE_LABELS.length));
  }
  return key.startsWith("io.cilium.") ? null : podLabel(key);
}
