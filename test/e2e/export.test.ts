/** `containment export`: one file with which an analyst needs nothing else. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { strFromU8, unzipSync } from "fflate";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunResult } from "../../core/evidence/record-run.ts";
import {
  artefactsOf,
  containment,
  endOf,
  openShop,
  raiseAlert,
  resultOf,
  type SentAlert,
  victimOf,
} from "./harness.ts";

let folder: string;
let alert: SentAlert;
let result: RunResult;
let files: Readonly<Record<string, Uint8Array>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "containment-export-"));
  const shop = await openShop("exported");
  alert = await raiseAlert(shop.namespace, victimOf(shop));
  result = resultOf(await endOf(alert.id));
  // A further alert joins the case and belongs to it.
  await endOf((await raiseAlert(shop.namespace, victimOf(shop))).id);

  const { code, out, err } = await containment("export", result.case.id, "--to", zip());
  expect({ code, err }).toMatchObject({ code: 0 });
  expect(out).toContain("every run verifies");
  files = unzipSync(await readFile(zip()));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const zip = () => join(folder, "case.zip");
const nameOf = (name: string) => `${result.case.id}/${name}`;
const textOf = (name: string) => strFromU8(files[nameOf(name)] ?? new Uint8Array());

test("holds the case, its alerts and every artefact of its run, byte for byte", async () => {
  const { runId } = result.case;
  const artefacts = (await artefactsOf(runId)).map((name) => nameOf(`runs/${runId}/${name}`));

  expect(Object.keys(files)).toEqual(
    expect.arrayContaining([nameOf("case.json"), nameOf(`runs/${runId}.json`), ...artefacts]),
  );
  expect(Object.keys(files).filter((name) => name.startsWith(nameOf("alerts/")))).toHaveLength(1);
  expect(JSON.parse(textOf(`runs/${runId}/alert.json`)).event.detail.body).toBe(alert.body);
});

test("reports which copies the forensic account was asked for", () => {
  expect(textOf("report.html")).toMatch(
    /Forensic copy<\/td><td>asked account 111111111111 in eu-west-1 for a copy of snap-[0-9a-f]+/,
  );
});

test("verifies where it is unpacked as it does in the bucket, until a byte is changed", async () => {
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
  const run = join(folder, nameOf("runs"), result.case.runId);

  const intact = await containment("verify", run);
  expect(intact.out).toContain("verified: run");
  // That its folder bears the run's name proves nothing; all else is as in the bucket.
  expect(intact.out).toContain("1 check was not possible here");

  await writeFile(join(run, "after.json"), `${await readFile(join(run, "after.json"), "utf8")} `);
  const changed = await containment("verify", run);
  expect(changed).toMatchObject({ code: 1, out: expect.stringContaining("after.json") });
});

test("tells a person what happened, in Markdown and in a page that loads nothing", () => {
  const markdown = textOf("report.md");

  for (const section of ["Timeline", "What was seen", "What was done", "Verdict", "Who did what"]) {
    expect(markdown).toContain(`## ${section}`);
  }
  expect(markdown).toContain("contained");
  expect(markdown).toContain("| Alerts | 2 |");
  expect(textOf("report.html")).toContain("default-src 'none'");
});

test("writes over nothing, and says which case there is not", async () => {
  expect(await containment("export", result.case.id, "--to", zip())).toMatchObject({
    code: 2,
    err: expect.stringContaining("is there already"),
  });
  expect(await containment("export", "c-20200101-0123456789")).toMatchObject({
    code: 2,
    err: expect.stringContaining("has no case c-20200101-0123456789"),
  });
});
