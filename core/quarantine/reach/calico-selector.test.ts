import { expect, test } from "vitest";
import { parseCalicoSelector } from "./calico-selector.ts";
import { holds } from "./label-expression.ts";

const LABELS = new Map([
  ["app", "checkout"],
  ["tier", "web"],
]);

test.each<[string, number]>([
  ["", 2],
  ["all()", 2],
  ["global()", 0],
  ["app == 'checkout'", 2],
  ['app == "checkout"', 2],
  ["app == 'other'", 0],
  ["app != 'other'", 2],
  ["missing != 'other'", 2],
  ["has(app)", 2],
  ["!has(app)", 0],
  ["!has(missing)", 2],
  ["app in {'a', 'checkout'}", 2],
  ["app in {'a'}", 0],
  ["app not in {'a'}", 2],
  ["missing not in {'a'}", 2],
  ["app contains 'eck'", 2],
  ["app starts with 'check'", 2],
  ["app ends with 'check'", 0],
  ["app == 'x' || tier == 'web' && has(app)", 2],
  ["(app == 'x' || tier == 'web') && has(missing)", 0],
  ["!(app == 'checkout')", 0],
  ["app=='checkout'&&tier=='web'", 2],
])("%j selects the pod: %i", (text, match) => {
  const expression = parseCalicoSelector(text, (key) => key);

  expect(expression && holds(expression, LABELS)).toBe(match);
});

test.each([
  "app",
  "app ==",
  "app = 'x'",
  "has(app",
  "app in ['x']",
  "&& app == 'x'",
  "app == x",
  "'",
  "has(a) has(b)",
])("%j is not understood", (text) => {
  expect(parseCalicoSelector(text, (key) => key)).toBeNull();
});

test("a selector of absurd depth is not understood, and nothing breaks", () => {
  expect(parseCalicoSelector(`${"!".repeat(100_000)}has(a)`, (key) => key)).toBeNull();
});
