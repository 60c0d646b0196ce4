import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Report, toHtml, toMarkdown } from "./report.ts";

const REPORT: Report = {
  title: "Case c-1",
  sections: [
    { title: "Timeline", head: ["When", "What"], rows: [["2026-11-22", "a shell"]] },
    { title: "Summary", rows: [["Target", "pod payments/checkout-1"]] },
  ],
};

test("a report is a heading and a table for each section, in Markdown and HTML", () => {
  expect(toMarkdown(REPORT)).toContain(
    "## Timeline\n\n| When | What |\n| --- | --- |\n| 2026\\-11",
  );
  expect(toHtml(REPORT)).toContain(
    "<h2>Timeline</h2>\n<table>\n<tr><th>When</th><th>What</th></tr>",
  );
});

test("whatever a cell holds, it adds no element, row or column", () => {
  const shape = (html: string) => [...html.matchAll(/<\/?[a-z0-9]+/g)].map(([tag]) => tag);
  const columns = (markdown: string) =>
    markdown.split("\n").map((line) => line.replaceAll(/\\./g, "").split("|").length);

  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (hostile) => {
      const report: Report = {
        title: hostile,
        sections: [{ title: hostile, head: ["a", hostile], rows: [[hostile, "b"]] }],
      };
      const plain: Report = {
        title: "x",
        sections: [{ title: "x", head: ["a", "x"], rows: [["x", "b"]] }],
      };

      expect(shape(toHtml(report))).toEqual(shape(toHtml(plain)));
      expect(columns(toMarkdown(report))).toEqual(columns(toMarkdown(plain)));
    }),
    { examples: [["<script>alert(1)</script>"], ["a | b\n| c"], ["![x](http://evil)"], ["\\|"]] },
  );
});

test("an address that an attacker wrote becomes no link", () => {
  const row = "see https://evil.test/x or www.evil.test or a@evil.test";
  const report: Report = { title: "x", sections: [{ title: "x", rows: [[row]] }] };

  expect(toMarkdown(report)).not.toMatch(/[a-z]:\/\/|www\.|[^\\]@/);
  expect(toHtml(report)).not.toContain("<a");
});

test("no text turns the direction of what follows it", () => {
  const report: Report = { title: "a\u202eb", sections: [{ title: "x", rows: [["c\u2066d"]] }] };

  expect(toMarkdown(report)).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
  expect(toHtml(report)).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
});

test("a page of HTML loads nothing from anywhere", () => {
  expect(toHtml(REPORT)).toContain("default-src 'none'");
  expect(toHtml(REPORT)).not.toMatch(/src=|href=|<script/);
});
