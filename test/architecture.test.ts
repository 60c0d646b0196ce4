import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";
import { COPIER, fileOf, STATES } from "../functions/contract.ts";

const root = join(import.meta.dirname, "..");

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .map((file) => join(folder, file));
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/^(?:import|export)\b[^"]*?from "([^"]+)";/gms)].map(
    ([, specifier = ""]) =>
      specifier.startsWith(".")
        ? relative(root, resolve(root, dirname(file), specifier))
        : specifier,
  );
}

test("core is pure: it imports core, zod and node:crypto, and nothing that acts", () => {
  const outside = sources("core").flatMap((file) =>
    importsOf(file)
      .filter((name) => !/^core\/|^zod$|^node:crypto$/.test(name))
      .map((name) => `${file} imports ${name}`),
  );

  expect(outside).toEqual([]);
});

test("core reads no clock, no environment and no random source", () => {
  const impure = sources("core").filter((file) =>
    /new Date\(\)|Date\.now|process\.|Math\.random|randomUUID/.test(
      readFileSync(join(root, file), "utf8"),
    ),
  );

  expect(impure).toEqual([]);
});

test("functions are thin: they call adapters and core, and know no SDK", () => {
  const wrong = sources("functions").flatMap((file) =>
    importsOf(file)
      .filter((name) => /^(@aws-sdk|@kubernetes|@smithy)/.test(name))
      .map((name) => `${file} imports ${name}`),
  );
  // What they share (their middleware, their contract, the table of their needs) grows with their number.
  const names = [...STATES, COPIER] as const;
  const handlers = names.map((name) => join("functions", `${fileOf(name)}.ts`));
  const thick = handlers.filter(
    (file) => readFileSync(join(root, file), "utf8").split("\n").length > 50,
  );

  expect([...wrong, ...thick]).toEqual([]);
});

test("what runs on AWS imports nothing of the local stage", () => {
  const wrong = ["core", "adapters", "functions", "stacks"].flatMap((folder) =>
    sources(folder).filter((file) => importsOf(file).some((name) => name.startsWith("local/"))),
  );

  expect(wrong).toEqual([]);
});
