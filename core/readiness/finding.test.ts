import { expect, test } from "vitest";
import { about, exitCodeOf, findingLines, stopping } from "./finding.ts";

const stops = about("private-endpoint", "cluster prod", "stops");
const weakens = about("audit-log", "cluster prod", "weakens");
const ok = stops.ok("it is on");
const wrong = stops.wrong("it is off", "Turn it on.", "aws eks do", "aws eks wait");
const weak = weakens.wrong("it is off", "Turn it on.");
const unknown = stops.unknown("no answer", "Look again.");

test("wrong outweighs unknown, and unknown is not ok", () => {
  expect(exitCodeOf([ok, ok])).toBe(0);
  expect(exitCodeOf([ok, unknown])).toBe(2);
  expect(exitCodeOf([unknown, weak])).toBe(1);
});

test("only what is known to be wrong, and stops, stops a deployment", () => {
  expect(stopping([ok, weak, unknown, wrong])).toEqual([wrong]);
});

test("a finding reads as what was seen, what it means and what to type", () => {
  expect(findingLines(wrong)).toEqual([
    "wrong    private-endpoint, cluster prod: it is off (stops a deployment)",
    "         Turn it on.",
    "         $ aws eks do",
    "         $ aws eks wait",
  ]);
  expect(findingLines(ok)).toEqual(["ok       private-endpoint, cluster prod: it is on"]);
});
