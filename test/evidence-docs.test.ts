import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { STATE_ORDER } from "../core/evidence/clock.ts";
import { ARTEFACTS, type PublishedKey, schemaIdOf } from "../core/evidence/schemas/artefacts.ts";
import type { Needs } from "../core/needs.ts";
import { evidencePage, schemaFiles } from "../docs/evidence-page.ts";
import { STATES } from "../functions/contract.ts";
import { NEEDS } from "../functions/needs.ts";

const docs = join(import.meta.dirname, "../docs");

describe("what `npm run schemas` writes is what the schemas say", () => {
  test("docs/evidence.md", () => {
    expect(readFileSync(join(docs, "evidence.md"), "utf8")).toBe(evidencePage());
  });

  test("with a meaning for each field", () => {
    expect(evidencePage()).not.toMatch(/\|\s*\|$/m);
  });

  test("docs/schemas/", () => {
    const files = readdirSync(join(docs, "schemas")).map(
      (name) => [name, readFileSync(join(docs, "schemas", name), "utf8")] as const,
    );

    expect(new Map(files)).toEqual(new Map([...schemaFiles()].toSorted()));
  });
});

test("every artefact has a schema of a name of its own", () => {
  const ids = (Object.keys(ARTEFACTS) as PublishedKey[]).map(schemaIdOf);

  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^eks-containment\/[a-z-]+\/\d+$/);
});

test("of every state that writes to a run it is known when its turn is", () => {
  const writers = STATES.filter((state) => {
    const { evidence = {} }: Needs = NEEDS[state];
    return (evidence.writes ?? []).some((key) => key.startsWith("runs/"));
  });

  expect(Object.keys(STATE_ORDER).toSorted()).toEqual(writers.toSorted());
});
