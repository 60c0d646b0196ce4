import { every, MAYBE, type Match, NO, not, some, YES } from "./match.ts";

/**
 * A condition on a pod's labels, its namespace's labels and its service account: what the selectors
 * of Kubernetes, Cilium and Calico are all translated to. Keys are attributes: see `attributes`.
 */
export type LabelExpression =
  | { readonly is: "true" }
  | { readonly is: "unclear" }
  | { readonly is: "and"; readonly of: readonly LabelExpression[] }
  | { readonly is: "or"; readonly of: readonly LabelExpression[] }
  | { readonly is: "not"; readonly of: LabelExpression }
  | { readonly is: "has"; readonly key: string }
  | { readonly is: "in"; readonly key: string; readonly values: readonly string[] }
  | { readonly is: "contains"; readonly key: string; readonly value: string }
  | { readonly is: "starts"; readonly key: string; readonly value: string }
  | { readonly is: "ends"; readonly key: string; readonly value: string };

export const EVERY_POD: LabelExpression = { is: "true" };
export const UNCLEAR_PODS: LabelExpression = { is: "unclear" };

/** A label key has no colon: so attributes of other kinds never meet those of the pod itself. */
export const POD_LABEL = /^[^:]*$/;
export const podLabel = (key: string) => key;
export const namespaceLabel = (key: string) => `namespace:${key}`;
/** The API server keeps this label at the namespace's name. */
export const NAMESPACE = namespaceLabel("kubernetes.io/metadata.name");
export const SERVICE_ACCOUNT = ":serviceaccount";

export function inNamespace(name: string): LabelExpression {
  return { is: "in", key: NAMESPACE, values: [name] };
}

export function both(...parts: readonly LabelExpression[]): LabelExpression {
  const of: LabelExpression[] = [];
  for (const part of parts) {
    if (part.is === "and") of.push(...part.of);
    else if (part.is !== "true") of.push(part);
  }
  return of.length === 0 ? EVERY_POD : of.length === 1 && of[0] ? of[0] : { is: "and", of };
}

/** What is known of a pod, by key. */
export interface Attributes {
  get(key: string): string | undefined;
}

/** Whether one pod that is known meets the condition. */
export function holds(expression: LabelExpression, pod: Attributes): Match {
  switch (expression.is) {
    case "true":
      return YES;
    case "unclear":
      return MAYBE;
    case "and":
      return every(expression.of, holds, pod);
    case "or":
      return some(expression.of, holds, pod);
    case "not":
      return not(holds(expression.of, pod));
    default: {
      const value = pod.get(expression.key);
      // Every pod has a service account; without one it was only not told.
      if (value === undefined && expression.key === SERVICE_ACCOUNT) return MAYBE;
      return value !== undefined && holdsFor(expression, value) ? YES : NO;
    }
  }
}

type Atom = Extract<LabelExpression, { readonly key: string }>;

function holdsFor(atom: Atom, value: string): boolean {
  switch (atom.is) {
    case "has":
      return true;
    case "in":
      return atom.values.includes(value);
    case "contains":
      return value.includes(atom.value);
    case "starts":
      return value.startsWith(atom.value);
    case "ends":
      return value.endsWith(atom.value);
  }
}

/** What is known of every pod that meets an expression, without knowing the pods. */
export interface Facts {
  /** Terms that hold for all of them, as JSON. */
  readonly held: ReadonlySet<string>;
  /** Attributes that have one of these values in all of them. */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

export const NO_FACTS: Facts = { held: new Set(), values: new Map() };

export function factsOf(expression: LabelExpression): Facts {
  const terms = expression.is === "and" ? expression.of : [expression];
  const values = new Map<string, readonly string[]>();
  for (const term of terms) {
    if (term.is !== "in") continue;
    const known = values.get(term.key);
    values.set(term.key, known ? known.filter((each) => term.values.includes(each)) : term.values);
  }
  return { held: new Set(terms.map(textOf)), values };
}

const texts = new WeakMap<LabelExpression, string>();

/** An expression as JSON, written once. */
function textOf(expression: LabelExpression): string {
  let known = texts.get(expression);
  if (known === undefined) {
    known = JSON.stringify(expression);
    texts.set(expression, known);
  }
  return known;
}

/** Yes when every pod with these facts meets the condition, no when none does. */
export function follows(expression: LabelExpression, facts: Facts): Match {
  if (expression.is === "true" || facts.held.has(textOf(expression))) {
    // The same text read twice as unclear is still unclear.
    return mentionsUnclear(expression) ? MAYBE : YES;
  }
  switch (expression.is) {
    case "unclear":
      return MAYBE;
    case "and":
      return every(expression.of, follows, facts);
    case "or":
      return some(expression.of, follows, facts);
    case "not":
      return not(follows(expression.of, facts));
    default: {
      const values = facts.values.get(expression.key);
      if (!values || values.length === 0) return MAYBE;
      const holding = values.filter((value) => holdsFor(expression, value)).length;
      return holding === values.length ? YES : holding === 0 ? NO : MAYBE;
    }
  }
}

function mentionsUnclear(expression: LabelExpression): boolean {
  if (expression.is === "and" || expression.is === "or") return expression.of.some(mentionsUnclear);
  return expression.is === "not" ? mentionsUnclear(expression.of) : expression.is === "unclear";
}

/** Short text for people. */
export function describePods(expression: LabelExpression): string {
  const terms = expression.is === "and" ? expression.of : [expression];
  const namespaces = terms.filter((term) => mentionsOnly(term, "namespace:"));
  const pods = terms.filter((term) => !namespaces.includes(term) && term.is !== "true");
  const who = pods.length === 0 ? "every pod" : `pods with ${pods.map(text).join(" and ")}`;
  const name = namespaces.length === 1 ? namespaces[0] : undefined;
  if (namespaces.length === 0) return `${who} in every namespace`;
  if (name?.is === "in" && name.key === NAMESPACE) return `${who} in ${name.values.join(" or ")}`;
  return `${who} in namespaces with ${namespaces.map(text).join(" and ")}`;
}

function mentionsOnly(term: LabelExpression, prefix: string): boolean {
  if (term.is === "and" || term.is === "or") {
    return term.of.length > 0 && term.of.every((part) => mentionsOnly(part, prefix));
  }
  if (term.is === "not") return mentionsOnly(term.of, prefix);
  return "key" in term && term.key.startsWith(prefix);
}

function text(term: LabelExpression): string {
  if (term.is === "and" || term.is === "or") return `(${term.of.map(text).join(` ${term.is} `)})`;
  if (term.is === "not") return `not ${text(term.of)}`;
  if (term.is === "true" || term.is === "unclear") return "labels that are not understood";
  const key = term.key.replace(/^namespace:|^:/, "");
  if (term.is === "has") return key;
  if (term.is !== "in") return `${key} ${term.is} ${term.value}`;
  return term.values.length === 1
    ? `${key}=${term.values[0]}`
    : `${key} in (${term.values.join(", ")})`;
}
