import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readAudit } from "./findings.ts";
import { licencesOf } from "./licences.ts";

const root = join(import.meta.dirname, "..");

function report(severity: string): string {
  const advisory = { title: "Prototype pollution", url: "https://example.test/1", severity };
  return JSON.stringify({
    auditReportVersion: 2,
    vulnerabilities: {
      yaml: { name: "yaml", severity, range: "<2.9.2", via: [advisory] },
      reader: { name: "reader", severity, range: "*", via: ["yaml"] },
    },
    metadata: { dependencies: { prod: 50, total: 51 } },
  });
}

describe("known vulnerabilities", () => {
  test.each(["critical", "high"])(
    "of severity %s fail the audit, with the advisory",
    (severity) => {
      const audit = readAudit(report(severity));

      expect(audit).toMatchObject({
        answered: true,
        failing: [
          `${severity}: yaml <2.9.2: Prototype pollution (https://example.test/1)`,
          `${severity}: reader *: through yaml`,
        ],
      });
    },
  );

  test.each(["moderate", "low", "info"])("of severity %s are told", (severity) => {
    expect(readAudit(report(severity))).toMatchObject({ failing: [], told: { length: 2 } });
  });

  test("are not known where the registry does not answer, which is never taken for none", () => {
    const refused = JSON.stringify({
      message: "405 Method Not Allowed - POST https://registry.example.test/-/npm/v1/advisories",
      error: { summary: "", detail: "" },
    });

    expect(readAudit(refused)).toEqual({ answered: false, why: "405 Method Not Allowed" });
    expect(readAudit("")).toMatchObject({ answered: false });
    expect(readAudit("{}")).toMatchObject({ answered: false });
  });
});

describe("licences", () => {
  test("a production package under a licence that nobody accepted is named; tools are free", () => {
    const packages = {
      "": { license: "UNLICENSED" },
      "node_modules/a": { license: "MIT" },
      "node_modules/b": { license: "AGPL-3.0" },
      "node_modules/c": {},
      "node_modules/d": { license: "GPL-2.0", dev: true },
    };

    expect(licencesOf({ packages })).toEqual({ packages: 3, refused: ["b: AGPL-3.0", "c: none"] });
  });

  test("those of this product are accepted", () => {
    const lockfile = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));

    expect(licencesOf(lockfile).refused).toEqual([]);
  });
});

describe("what is downloaded is what was chosen", () => {
  test("every npm package is pinned by its hash", () => {
    const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
    const unpinned = Object.entries<{ integrity?: string; inBundle?: boolean }>(packages)
      .filter(([path, { integrity, inBundle }]) => path !== "" && !integrity && !inBundle)
      .map(([path]) => path);

    expect(unpinned).toEqual([]);
  });

  test("every Python package of the local stage is pinned by version and hash", () => {
    const text = readFileSync(join(root, "local/localemu/requirements.txt"), "utf8");
    const requirements = text
      .replaceAll(/\\\n/g, " ")
      .split("\n")
      .filter((line) => line.trim() !== "" && !line.startsWith("#"));

    expect(requirements.length).toBeGreaterThan(0);
    expect(requirements.filter((each) => !/==.*--hash=sha256:[0-9a-f]{64}/.test(each))).toEqual([]);
  });
});
