import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BRAKES } from "../core/brakes/brake.ts";
import { PERMANENT_ERRORS, TRANSIENT_ERRORS } from "../core/errors.ts";
import { STAGES } from "../core/evidence/schemas/case.ts";
import { REASONS } from "../core/quarantine/reasons.ts";
import { FINDINGS } from "../core/reverify/findings.ts";

const pageOf = (name: string) => readFileSync(join(import.meta.dirname, "../docs", name), "utf8");

/** Code and sentence of each row of the table that follows these words. */
function tableAfter(words: string, name = "verdicts.md"): Readonly<Record<string, string>> {
  const [, rest = ""] = pageOf(name).split(words);
  const [, table = ""] = /((?:^\|.*\n)+)/m.exec(rest) ?? [];
  const rows = [...table.matchAll(/^\| `(\w+)` +\| (.+?) +\|/gm)];
  return Object.fromEntries(rows.map(([, code = "", text = ""]) => [code, text]));
}

test("docs/verdicts.md lists every reason code with its sentence, and no other", () => {
  expect(tableAfter("The codes are stable.")).toEqual(REASONS);
});

test("docs/verdicts.md lists every finding of a later look with its sentence, and no other", () => {
  expect(tableAfter("which let no packet pass and yet are drift:")).toEqual(FINDINGS);
});

test("docs/brakes.md lists every brake with its sentence in the order of asking, and no other", () => {
  const table = tableAfter("and how it is lifted.", "brakes.md");

  expect(table).toEqual(BRAKES);
  expect(Object.keys(table)).toEqual(Object.keys(BRAKES));
});

test("docs/when-a-run-fails.md tells of every error and every stage, and of none that is not there", () => {
  const text = pageOf("when-a-run-fails.md");
  const first = [...text.matchAll(/^\| `(\w+)` /gm)].map(([, name]) => name);

  expect(first.toSorted()).toEqual(
    [...STAGES, ...TRANSIENT_ERRORS, ...PERMANENT_ERRORS].toSorted(),
  );
});
