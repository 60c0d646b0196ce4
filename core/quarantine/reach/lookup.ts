import { type Attributes, type LabelExpression, NAMESPACE, POD_LABEL } from "./label-expression.ts";

/**
 * Finds, for a pod, the things (by number) whose selector may select it, without asking each: every
 * selector is filed under its namespace and a label that it requires, and a pod is looked up by the
 * labels it has.
 */
export class Lookup {
  readonly #anywhere: number[] = [];
  /** By namespace, the empty one standing for every one; then by key and by value. */
  readonly #filed = new Map<string, Map<string, Map<string, number[]>>>();

  /** Files a thing under a selector. A thing with several selectors may be filed several times. */
  add(selector: LabelExpression, thing: number): void {
    const { label, namespace } = anchorOf(selector);
    if (!label) {
      this.#anywhere.push(thing);
      return;
    }
    const keys = entry(this.#filed, namespace, () => new Map<string, Map<string, number[]>>());
    const values = entry(keys, label.key, () => new Map<string, number[]>());
    for (const value of new Set(label.values)) entry(values, value, (): number[] => []).push(thing);
  }

  /** Everything whose selector may hold for the pod, and some whose does not; sorted, each once. */
  candidates(pod: Attributes): readonly number[] {
    const found = [...this.#anywhere];
    for (const namespace of ["", pod.get(NAMESPACE) ?? ""]) {
      this.#filed.get(namespace)?.forEach((values, key) => {
        const value = pod.get(key);
        const things = value === undefined ? undefined : values.get(value);
        if (things) for (const thing of things) found.push(thing);
      });
    }
    if (found.length < 2) return found;
    found.sort((a, b) => a - b);
    return found.filter((thing, at) => thing !== found[at - 1]);
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

type Pinned = Extract<LabelExpression, { readonly is: "in" }>;

/** A selector with more values than this is not worth as many entries. */
const MOST_VALUES = 16;

/** The label that every pod that it selects has, and the one namespace it is for, if it is one. */
function anchorOf(selector: LabelExpression) {
  const pinned = (selector.is === "and" ? selector.of : [selector]).filter(
    (term): term is Pinned =>
      // A service account that was not told may be any.
      term.is === "in" && term.values.length <= MOST_VALUES && !term.key.startsWith(":"),
  );
  const home = pinned.find(({ key, values }) => key === NAMESPACE && values.length === 1);
  const label =
    pinned.find(({ key }) => POD_LABEL.test(key)) ?? pinned.find(({ key }) => key !== NAMESPACE);
  const namespace = pinned.find(({ key }) => key === NAMESPACE);
  if (!label) return { label: namespace, namespace: "" };
  return { label, namespace: home?.values[0] ?? "" };
}
