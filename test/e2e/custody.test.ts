/** The chain of custody on real parts: what a run leaves in the bucket, and what is done to it there. */
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  PutObjectRetentionCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { evidenceBucket } from "../../adapters/aws/evidence-bucket.ts";
import { bucketRunFolder } from "../../adapters/run-folder.ts";
import { caseOf } from "../../core/case/case.ts";
import { writerIn } from "../../core/evidence/custody.ts";
import { artefactKey, runPrefix, runRecordKey } from "../../core/evidence/keys.ts";
import { Manifest, type RunRecord } from "../../core/evidence/manifest.ts";
import { type RunResult, recordRun } from "../../core/evidence/record-run.ts";
import { listVersions } from "../../core/evidence/run-folder.ts";
import { toBytes } from "../../core/evidence/store.ts";
import { unpublished } from "../memory/published.ts";
import {
  artefactsOf,
  aws,
  containment,
  deployment,
  endOf,
  openShop,
  raiseAlert,
  resultOf,
  s3,
  store,
  verify,
  victimOf,
} from "./harness.ts";

const Bucket = deployment.evidenceBucket;
const urlOf = (runId: string) => `s3://${Bucket}/${runPrefix(runId)}`;
const now = () => new Date();

async function bytesAt(Key: string): Promise<Uint8Array> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
  return (await Body?.transformToByteArray()) ?? new Uint8Array();
}

async function manifestOf(runId: string): Promise<Manifest> {
  const bytes = await bytesAt(artefactKey(runId, "manifest.json"));
  return Manifest.parse(JSON.parse(Buffer.from(bytes).toString()));
}

/** Downloads a run as `aws s3 cp --recursive` does. */
async function download(runId: string, into: string): Promise<string> {
  const folder = join(into, runId);
  await mkdir(folder);
  for (const name of await artefactsOf(runId)) {
    await writeFile(join(folder, name), await bytesAt(runPrefix(runId) + name));
  }
  return folder;
}

/** What the bucket knows of a run, put beside its download. */
async function listBeside(folder: string, { id, runId }: RunResult["case"]): Promise<void> {
  const listing = await listVersions(
    bucketRunFolder(urlOf(runId), aws),
    { runId, caseId: id },
    now,
  );
  await writeFile(`${folder}.versions.json`, toBytes(listing));
}

/** A small run of a case, sealed by the product in the bucket of the stage. */
async function seal(caseId: string | null = null): Promise<RunResult> {
  const execution = {
    arn: `arn:aws:states:us-east-1:000000000000:execution:contain:${randomUUID()}`,
    ...{ name: "a", startedAt: now().toISOString() },
  };
  const own = caseOf(execution);
  const ref = { runId: own.runId, id: caseId ?? own.id };
  const as = (state: string) =>
    evidenceBucket(Bucket, aws, () => ({
      ...{ execution: execution.arn, state, productVersion: "0.1.0" },
      capturedAt: now().toISOString(),
    }));
  const artefacts = [
    await as("OpenCase").putOnce(artefactKey(ref.runId, "alert.json"), { of: ref.id }),
    await as("ApplyPolicy").putOnce(artefactKey(ref.runId, "plan.json"), { of: ref.id }),
  ].map(({ artefact }) => artefact);
  return recordRun(
    {
      ...{ case: ref, execution, artefacts, mode: "containment", reason: "a test", missing: [] },
      ...{ verdict: "contained", reasons: [], brakes: [], notPreserved: [], quarantinedAt: null },
      alert: {
        ...{ source: "falco", id: "1", rule: "a rule", severity: "low" },
        detectedAt: execution.startedAt,
      },
      target: {
        ...{ cluster: "c", namespace: "n", kind: "pod", name: "p", uid: null, containerId: null },
      },
    },
    {
      store: as("RecordRun"),
      announcements: { containmentCompleted: async () => {} },
      productVersion: "0.1.0",
      now,
    },
  );
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "containment-custody-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("a run of the playbook", () => {
  let result: RunResult;
  let copy: string;
  beforeAll(async () => {
    const shop = await openShop("custody");
    result = resultOf(await endOf((await raiseAlert(shop.namespace, victimOf(shop))).id));
    copy = await download(result.case.runId, folder);
  });

  test("leaves every artefact with its writer on the version itself, and locked", async () => {
    const { artefacts, missing, warnings, previous } = await manifestOf(result.case.runId);

    for (const { name, versionId, ...entry } of artefacts) {
      const Key = runPrefix(result.case.runId) + name;
      const { Metadata } = await s3.send(
        new HeadObjectCommand({ Bucket, Key, VersionId: versionId }),
      );
      const { state, capturedAt, productVersion } = entry;
      const execution = result.execution.arn;
      expect(writerIn(Metadata), name).toEqual({ execution, state, capturedAt, productVersion });
      expect(entry.lock?.mode, name).toMatch(/GOVERNANCE|COMPLIANCE/);
    }
    expect(Object.fromEntries(artefacts.map(({ name, state }) => [name, state]))).toMatchObject({
      ...{ "alert.json": "OpenCase", "before.json": "SnapshotBefore", "plan.json": "ApplyPolicy" },
      ...{ "volumes.json": "SnapshotNodeEbs", "containment.json": "RecordRun" },
    });
    expect({ missing, warnings, previous }).toEqual({ missing: [], warnings: [], previous: null });
  });

  test("leaves nothing that is not as its published schema says", async () => {
    const { id, runId } = result.case;
    const [ofRun, ofCase] = await Promise.all([
      store.inspect(runPrefix(runId)),
      store.inspect(`cases/${id}/`),
    ]);
    for (const { key } of [...ofRun, ...ofCase]) {
      expect(unpublished(key, Buffer.from(await bytesAt(key)).toString())).toBeNull();
    }
    expect(ofRun.length).toBeGreaterThan(10);
    expect(ofCase).toHaveLength(2); // the case, and the record of its run
  });

  test("is recorded with its case, the manifest's lock confirmed", async () => {
    const { id, runId } = result.case;
    const kept = await store.read<RunRecord>(runRecordKey(id, runId));

    expect(kept?.document.manifest).toMatchObject({
      key: artefactKey(runId, "manifest.json"),
      lock: { retainUntil: expect.any(String) },
    });
  });

  test("verifies in the bucket, and every check is explained", async () => {
    const explained = await containment("verify", urlOf(result.case.runId), "--explain");

    expect(explained).toMatchObject({ code: 0, err: "" });
    expect(explained.out).toMatch(/^ok +plan.json has the bytes that were sealed: \d+, SHA-256/m);
    expect(explained.out).toMatch(/^ok +plan.json is version .*written by ApplyPolicy/m);
    expect(explained.out).toMatch(/^ok +manifest.json is the one that the case recorded/m);
    expect(explained.out).toMatch(/^ok +no clock goes backwards/m);
    expect(explained.out).not.toMatch(/^(FAILED|warning|not checked)/m);
  });

  test("verifies in a copy, which says what it cannot know without the listing beside it", async () => {
    const bare = await containment("verify", copy, "--explain");
    await listBeside(copy, result.case);
    const listed = await containment("verify", copy, "--explain");

    expect(bare.code).toBe(0);
    expect(bare.out).toMatch(/^not checked +plan.json is version/m);
    expect(bare.out).toMatch(/^not checked +manifest.json is the one that the case recorded/m);
    expect(listed.code).toBe(0);
    expect(listed.out).toMatch(/^ok +plan.json is version/m);
    expect(listed.out).toMatch(/^ok +manifest.json is the one that the case recorded/m);
  });

  test("in a copy, a manifest with right hashes of forged bytes is found by the listing", async () => {
    const plan = await readFile(join(copy, "plan.json"));
    const manifest = await readFile(join(copy, "manifest.json"));
    const sealed = await manifestOf(result.case.runId);
    const forged = sealed.artefacts.map((entry) =>
      entry.name === "plan.json" ? { ...entry, versionId: "another" } : entry,
    );
    await writeFile(join(copy, "manifest.json"), toBytes({ ...sealed, artefacts: forged }));

    const found = await containment("verify", copy);

    expect(found.code).toBe(1);
    expect(found.out).toContain("manifest.json was rewritten");
    expect(found.out).toMatch(/plan.json was written again: version \S+ is not the sealed/);
    await writeFile(join(copy, "plan.json"), plan);
    await writeFile(join(copy, "manifest.json"), manifest);
  });
});

/** What the account's administrator can do to a run in a bucket that is not in compliance mode. */
describe("done with the administrator's credentials, it is found", () => {
  const put = (Key: string, Body: Uint8Array | string) =>
    s3.send(new PutObjectCommand({ Bucket, Key, Body, ContentType: "application/json" }));
  const remove = (Key: string, VersionId?: string) =>
    s3.send(
      new DeleteObjectCommand({
        ...{ Bucket, Key, BypassGovernanceRetention: true },
        ...(VersionId && { VersionId }),
      }),
    );
  type Tamper = (runId: string, manifest: Manifest) => Promise<unknown>;
  const tamperings: readonly (readonly [what: string, reason: RegExp, tamper: Tamper])[] = [
    [
      "an artefact changed",
      /plan.json has SHA-256/,
      async (runId) => put(artefactKey(runId, "plan.json"), '{"of":"forged"}\n'),
    ],
    [
      "an artefact written again with the same bytes",
      /plan.json was changed: the bucket has 2 versions/,
      async (runId) =>
        put(artefactKey(runId, "plan.json"), await bytesAt(artefactKey(runId, "plan.json"))),
    ],
    [
      "an artefact hidden by a delete marker",
      /plan.json is missing: it was deleted/,
      (runId) => remove(artefactKey(runId, "plan.json")),
    ],
    [
      "an artefact deleted for good",
      /plan.json is missing/,
      (runId, { artefacts }) =>
        remove(
          artefactKey(runId, "plan.json"),
          artefacts.find(({ name }) => name === "plan.json")?.versionId,
        ),
    ],
    [
      "an artefact added",
      /extra.json is not in the manifest/,
      (runId) => put(`${runPrefix(runId)}extra.json`, "{}\n"),
    ],
    [
      "an artefact renamed",
      /plan-2.json is not in the manifest/,
      async (runId) => {
        const key = artefactKey(runId, "plan.json");
        await put(`${runPrefix(runId)}plan-2.json`, await bytesAt(key));
        await remove(key);
      },
    ],
    [
      "an artefact truncated",
      /plan.json has 3 bytes, sealed were/,
      async (runId) =>
        put(
          artefactKey(runId, "plan.json"),
          (await bytesAt(artefactKey(runId, "plan.json"))).subarray(0, 3),
        ),
    ],
    [
      "the manifest rewritten with right hashes and another version",
      /manifest.json was rewritten: it has SHA-256/,
      async (runId, { artefacts, ...rest }) => {
        const [first, ...others] = artefacts;
        const changed = [{ ...first, versionId: "another" }, ...others];
        await put(artefactKey(runId, "manifest.json"), toBytes({ ...rest, artefacts: changed }));
      },
    ],
    [
      "the manifest put in the sealed one's place, with that one deleted for good",
      /manifest.json was rewritten: it is version \S+, recorded was/,
      async (runId) => {
        const key = artefactKey(runId, "manifest.json");
        const bytes = await bytesAt(key);
        const kept = await store.read(key);
        await put(key, bytes);
        await remove(key, kept?.artefact.versionId);
      },
    ],
    [
      "its record rewritten",
      /json was changed: the bucket has 2 versions/,
      async (runId, { caseId }) => {
        const key = runRecordKey(caseId, runId);
        await put(key, await bytesAt(key));
      },
    ],
    [
      "times edited",
      /alert.json says capturedAt .*clockBackwards|clockBackwards/s,
      async (runId, { artefacts, ...rest }) => {
        const changed = artefacts.map((entry) =>
          entry.name === "alert.json" ? { ...entry, capturedAt: rest.sealedAt } : entry,
        );
        const later = changed.map((entry) =>
          entry.name === "plan.json" ? { ...entry, capturedAt: "2020-01-01T00:00:00.000Z" } : entry,
        );
        await put(artefactKey(runId, "manifest.json"), toBytes({ ...rest, artefacts: later }));
      },
    ],
    [
      "a lock shortened",
      /plan.json was locked until/,
      (runId, { artefacts }) =>
        s3.send(
          new PutObjectRetentionCommand({
            ...{ Bucket, Key: artefactKey(runId, "plan.json"), BypassGovernanceRetention: true },
            VersionId: artefacts.find(({ name }) => name === "plan.json")?.versionId,
            Retention: { Mode: "GOVERNANCE", RetainUntilDate: new Date(Date.now() + 60_000) },
          }),
        ),
    ],
  ];

  test.each(tamperings)("%s", async (_, reason, tamper) => {
    const { runId } = (await seal()).case;
    expect(await verify(runId)).toMatchObject({ verified: true, problems: [] });

    await tamper(runId, await manifestOf(runId));

    const { verified, problems } = await verify(runId);
    expect(verified).toBe(false);
    expect(problems.join("\n")).toMatch(reason);
  });
});

describe("two runs of one case", () => {
  test("are chained, in the bucket and in copies beside each other, and a broken link is found", async () => {
    const first = await seal();
    const second = await seal(first.case.id);
    const { runId } = second.case;
    const previous = artefactKey(first.case.runId, "manifest.json");
    expect((await manifestOf(runId)).previous).toMatchObject({ key: previous });
    expect(await verify(runId)).toMatchObject({ verified: true, problems: [] });

    const copy = await download(runId, folder);
    expect((await containment("verify", copy, "--explain")).out).toContain(
      `run ${first.case.runId} was not downloaded beside this one`,
    );
    const before = await download(first.case.runId, folder);
    const beside = await containment("verify", copy, "--explain");
    expect(beside).toMatchObject({ code: 0 });
    expect(beside.out).toMatch(/^ok +the manifest of the run before/m);
    await writeFile(join(before, "manifest.json"), "{}\n");
    expect((await containment("verify", copy)).out).toContain("the chain is broken");

    await s3.send(new DeleteObjectCommand({ Bucket, Key: previous }));
    const { problems } = await verify(runId);
    expect(problems.join("\n")).toContain("the chain is broken");
  });
});

test("a key taken by other content keeps it, and the bucket keeps what was refused", async () => {
  const run = `refused-${randomUUID()}`;
  const key = artefactKey(run, "plan.json");
  const first = await store.putOnce(key, { is: "first" });
  const second = await store.putOnce(key, { is: "second" });

  expect(second).toMatchObject({ created: false, document: { is: "first" } });
  expect(second.artefact).toEqual(first.artefact);
  const [conflict, plan] = await store.inspect(runPrefix(run));
  expect(plan?.key).toBe(key);
  expect((await store.read(conflict?.key ?? ""))?.document).toMatchObject({
    conflictsWith: "plan.json",
    refused: { document: { is: "second" } },
  });
});
