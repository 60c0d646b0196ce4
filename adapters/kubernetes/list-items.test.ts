import * as fc from "fast-check";
import { expect, test } from "vitest";
import { listItems } from "./list-items.ts";

/** The list, as it arrives in pieces of so many bytes. */
function taken(text: string, size: number) {
  const items: unknown[] = [];
  const list = listItems((item) => items.push(item));
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) list.write(bytes.subarray(at, at + size));
  return { list: list.end(), items };
}

const metadata = { resourceVersion: "1", continue: "abc", remainingItemCount: 3 };

test("every list comes out as it went in, wherever it is cut", () => {
  const item = fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue());
  fc.assert(
    fc.property(fc.array(item), fc.integer({ min: 1, max: 40 }), (items, size) => {
      const text = JSON.stringify({ kind: "PodList", metadata, items });

      expect(taken(text, size)).toEqual({
        list: { kind: "PodList", metadata },
        items: JSON.parse(text).items,
      });
    }),
  );
});

test.each([
  [
    "quotes and backslashes in texts",
    [{ command: '["sh", "-c", "echo \\"}\\\\"]\\' }, { b: "\\" }],
  ],
  ["lists of items in items", [{ items: [{ items: [] }] }, {}]],
  ["text of any language", [{ a: "é漢🙂" }]],
])("%s are no hindrance", (_, items) => {
  const text = JSON.stringify({ items, metadata });
  for (let size = 1; size < text.length; size += 1) {
    expect(taken(text, size)).toEqual({ list: { metadata }, items });
  }
});

test("a custom resource's list tells its metadata after the items", () => {
  const text = JSON.stringify({ apiVersion: "v1", items: [{ a: 1 }], kind: "L", metadata });

  expect(taken(text, 7)).toEqual({
    list: { apiVersion: "v1", kind: "L", metadata },
    items: [{ a: 1 }],
  });
});

test.each([
  ["laid out for people", JSON.stringify({ metadata, items: [{ a: 1 }] }, null, 2), [{ a: 1 }]],
  ["without items", JSON.stringify({ metadata, items: null }), []],
])("a list %s is read as well", (_, text, items) => {
  expect(taken(text, 5)).toEqual({ list: { metadata }, items });
});

test("a list that breaks off is an error", () => {
  expect(() => taken('{"metadata":{},"items":[{"a":1},{"b"', 4)).toThrow();
});
