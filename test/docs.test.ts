import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { REASONS } from "../core/quarantine/reasons.ts";
import { FINDINGS } from "../core/reverify/findings.ts";

const page = readFileSync(join(import.meta.dirname, "../docs/verdicts.md"), "utf8");

/** Code and sentence of each row of the table that follows these words. */
function tableAfter(words: string): Readonly<Record<string, string>> {
  const [, rest = ""] = page.split(words);
  const [, table = ""] = /((?:^\|.*\n)+)/m.exec(rest) ?? [];
  const rows = [...table.matchAll(/^\| `(\w+)` +\| (.+?) +\|$/gm)];
  return Object.fromEntries(rows.map(([, code = "", text = ""]) => [code, text]));
}

test("docs/verdicts.md lists every reason code with its sentence, and no other", () => {
  expect(tableAfter("The codes are stable.")).toEqual(REASONS);
});

test("docs/verdicts.md lists every finding of a later look with its sentence, and no other", () => {
  expect(tableAfter("which let no packet pass and yet are drift:")).toEqual(FINDINGS);
});
