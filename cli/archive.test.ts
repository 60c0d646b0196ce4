import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { expect, test } from "vitest";
import { openArchive } from "./archive.ts";

async function namesOf(...names: readonly string[]): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), "archive-"));
  const path = join(folder, "case.zip");
  const archive = await openArchive(path);
  for (const name of names) await archive.add(name, "x");
  await archive.close();
  const found = Object.keys(unzipSync(await readFile(path)));
  await rm(folder, { recursive: true });
  return found;
}

test("no name in an archive leads out of the folder where it is unpacked", async () => {
  expect(
    await namesOf("c-1/../../evil", "/etc/passwd", "c-1\\..\\evil", "C:evil", "c-1//x", "c-1/a\nb"),
  ).toEqual([
    "c-1/(..)/(..)/evil",
    "()/etc/passwd",
    "c-1_.._evil",
    "C_evil",
    "c-1/()/x",
    "c-1/a_b",
  ]);
});

test("the names of evidence stay what they are", async () => {
  const names = ["c-1/runs/20261128T0900-c-1/plan.json", "c-1/report.md"];

  expect(await namesOf(...names)).toEqual(names);
});
