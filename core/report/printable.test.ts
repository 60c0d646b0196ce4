import * as fc from "fast-check";
import { expect, test } from "vitest";
import { printable, printableJson, printableLine } from "./printable.ts";

/** What moves a cursor, clears a screen, sets a title or turns the direction of a text. */
const HARMFUL = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;
const hostile = fc.string({ unit: "binary", maxLength: 300 });

test("text for a terminal keeps its lines and loses every control", () => {
  expect(printable("a\u001b[2Jb\u009b1mc\u202ed\n\te")).toBe(
    "a\\u{1b}[2Jb\\u{9b}1mc\\u{202e}d\n\te",
  );
  fc.assert(
    fc.property(hostile, (text) => !HARMFUL.test(printable(text).replaceAll(/[\n\t]/g, ""))),
  );
});

test("a line for a terminal is one line, and bounded", () => {
  expect(printableLine("a\nb\tc")).toBe("a\\nb\\tc");
  expect(printableLine("x".repeat(600), 10)).toBe("xxxxxxxxxx…");
  fc.assert(fc.property(hostile, (text) => !HARMFUL.test(printableLine(text))));
});

test("JSON for a terminal says the same as JSON, without a control", () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: "binary" }), (value) => {
      const text = printableJson(value);

      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      expect(text).not.toMatch(HARMFUL);
    }),
  );
});
