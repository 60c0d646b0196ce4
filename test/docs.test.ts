import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { REASONS } from "../core/quarantine/reasons.ts";

const page = readFileSync(join(import.meta.dirname, "../docs/verdicts.md"), "utf8");

test("docs/verdicts.md lists every reason code with its sentence, and no other", () => {
  const [, table = ""] = page.split("The codes are stable.");
  const rows = [...table.matchAll(/^\| `(\w+)` +\| (.+?) +\|$/gm)].map(([, code, text]) => [
    code,
    text,
  ]);

  expect(Object.fromEntries(rows)).toEqual(REASONS);
});
