import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const page = readFileSync(join(root, "docs/threat-model.md"), "utf8");

interface Claim {
  readonly number: number;
  readonly proofs: readonly { readonly file: string; readonly title: string }[];
}

const claims: readonly Claim[] = page
  .split(/^- \*\*T(?=\d+\*\* )/m)
  .slice(1)
  .map((text) => ({
    number: Number.parseInt(text, 10),
    proofs: [...text.matchAll(/^ {2}- `([^`]+)`: (.+)$/gm)].map(([, file = "", title = ""]) => ({
      ...{ file, title },
    })),
  }));

/** The titles of the tests of a file, as they are written there. */
function titlesIn(file: string): readonly string[] {
  const path = join(root, file);
  if (!existsSync(path)) return [];
  const text = readFileSync(path, "utf8");
  const afterTest = /\btest(?:\.each\(.*?\))?\(\s*"((?:[^"\\]|\\.)*)"/gs;
  return [...text.matchAll(afterTest)].map(([, title]) => JSON.parse(`"${title}"`) as string);
}

describe("the claims of docs/threat-model.md", () => {
  test("are numbered without a gap, so that a number once cited stays what it is", () => {
    expect(claims.map(({ number }) => number)).toEqual(claims.map((_, index) => index + 1));
    expect(claims.length).toBeGreaterThan(15);
  });

  test("are each proven by a test that exists", () => {
    const unproven = claims.flatMap(({ number, proofs }) =>
      proofs.length === 0
        ? [`T${number} names no test`]
        : proofs
            .filter(({ file, title }) => !titlesIn(file).includes(title))
            .map(({ file, title }) => `T${number}: ${file} has no test "${title}"`),
    );

    expect(unproven).toEqual([]);
  });
});
