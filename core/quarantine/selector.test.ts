import { expect, test } from "vitest";
import type { LabelSelector } from "../kubernetes.ts";
import { selects } from "./selector.ts";

const LABELS = { app: "checkout", tier: "web" };

test.each<[string, LabelSelector, boolean]>([
  ["the empty selector", {}, true],
  ["an equal label", { matchLabels: { app: "checkout" } }, true],
  ["one of two labels wrong", { matchLabels: { app: "checkout", tier: "db" } }, false],
  ["a label that is not there", { matchLabels: { owner: "a" } }, false],
  ["In", { matchExpressions: [{ key: "app", operator: "In", values: ["a", "checkout"] }] }, true],
  [
    "In without the label",
    { matchExpressions: [{ key: "x", operator: "In", values: ["a"] }] },
    false,
  ],
  ["NotIn", { matchExpressions: [{ key: "app", operator: "NotIn", values: ["a"] }] }, true],
  [
    "NotIn without the label",
    { matchExpressions: [{ key: "x", operator: "NotIn", values: ["a"] }] },
    true,
  ],
  ["Exists", { matchExpressions: [{ key: "app", operator: "Exists" }] }, true],
  ["DoesNotExist", { matchExpressions: [{ key: "app", operator: "DoesNotExist" }] }, false],
  ["an operator of the future", { matchExpressions: [{ key: "app", operator: "Like" }] }, true],
])("%s", (_, selector, expected) => {
  expect(selects(selector, LABELS)).toBe(expected);
});
