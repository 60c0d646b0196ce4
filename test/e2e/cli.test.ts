import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { beforeAll, expect, test } from "vitest";
import { runPrefix } from "../../core/evidence/keys.ts";
import type { RunResult } from "../../core/evidence/record-run.ts";
import {
  artefactsOf,
  containment,
  core,
  deployment,
  endOf,
  openShop,
  raiseAlert,
  resultOf,
  s3,
  victimOf,
} from "./harness.ts";

let result: RunResult;
beforeAll(async () => {
  const shop = await openShop("cli");
  result = resultOf(await endOf((await raiseAlert(shop.namespace, victimOf(shop))).id));
});

test("runs lists the run, and run shows it with its evidence", async () => {
  const { runId } = result.case;

  const listed = JSON.parse((await containment("runs", "--json")).out);
  expect(listed).toContainEqual(expect.objectContaining({ id: runId, verdict: "contained" }));

  const shown = JSON.parse((await containment("run", runId, "--json")).out);
  expect(shown.manifest.artefacts).toHaveLength(17);
  expect((await containment("run", runId)).out).toContain("sealed");

  expect(await containment("run", "20260101T000000000Z-c-none")).toMatchObject({ code: 2 });
});

test("verify agrees with the bucket and with a copy of it, and finds one changed byte", async () => {
  const { runId } = result.case;
  const url = `s3://${deployment.evidenceBucket}/${runPrefix(runId)}`;
  expect(await containment("verify", url)).toMatchObject({ code: 0 });

  const folder = await mkdtemp(join(tmpdir(), "containment-run-"));
  try {
    for (const name of await artefactsOf(runId)) {
      const Key = runPrefix(runId) + name;
      const { Body } = await s3.send(
        new GetObjectCommand({ Bucket: deployment.evidenceBucket, Key }),
      );
      await writeFile(join(folder, name), (await Body?.transformToByteArray()) ?? "");
    }
    expect(await containment("verify", folder)).toMatchObject({ code: 0 });

    const plan = await readFile(join(folder, "plan.json"), "utf8");
    await writeFile(join(folder, "plan.json"), plan.replace("checkout", "checkouT"));
    const changed = await containment("verify", folder, "--json");
    expect(changed.code).toBe(1);
    expect(JSON.parse(changed.out)).toMatchObject({
      verified: false,
      problems: [expect.stringContaining("plan.json has SHA-256")],
    });

    await cp(join(folder, "alert.json"), join(folder, "alert-2.json"));
    expect((await containment("verify", folder)).out).toContain(
      "alert-2.json is not in the manifest",
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("plan shows what would be written, reads as the operator and changes nothing", async () => {
  const shop = await openShop("plan");
  const { name } = victimOf(shop);

  const planned = await containment("plan", `${shop.namespace}/${name}`);
  const json = await containment("plan", shop.namespace, "--json");
  const gone = await containment("plan", `${shop.namespace}/gone`);

  expect(planned).toMatchObject({ code: 0, err: "" });
  expect(planned.out).toContain("CNI: vpc, enforcing: on, order: fast");
  expect(planned.out).toContain("create ClusterNetworkPolicy quarantine-c-not-opened");
  expect(planned.out).toContain("Services that lose the pod: checkout");
  expect(JSON.parse(json.out)).toMatchObject({ target: { kind: "namespace" }, nameTaken: null });
  expect(gone).toMatchObject({ code: 2, err: expect.stringContaining("does not exist") });
  const pod = await core.readNamespacedPod({ namespace: shop.namespace, name });
  expect(pod.metadata?.labels).toHaveProperty("app", "checkout");
});

test("contain asks for a run, and says no to what is no target", async () => {
  const { namespace } = await openShop("byhand");

  const asked = await containment(
    "contain",
    namespace,
    "--reason",
    `drill of ${namespace}`,
    "--audit",
  );
  expect(asked.code).toBe(0);
  expect(resultOf(await endOf(`drill of ${namespace}`))).toMatchObject({ verdict: "audited" });

  for (const wrong of ["a/../kube-system", "Payments", "a/b/c", ""]) {
    expect(await containment("contain", wrong, "--reason", "drill"), wrong).toMatchObject({
      code: 2,
    });
  }
  expect((await containment("contain", namespace)).err).toContain("--reason");
});
