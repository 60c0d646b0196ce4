import { beforeAll, describe, expect, test } from "vitest";
import { CASE_LABEL, SUSPENDED_LABEL } from "../../core/quarantine/labels.ts";
import type { Shop } from "../../local/scene.ts";
import { waitFor } from "../../local/wait.ts";
import {
  artefactsOf,
  core,
  endOf,
  executions,
  networking,
  openShop,
  policyNames,
  raiseAlert,
  request,
  resultOf,
  sendBody,
  verify,
  victimOf,
} from "./harness.ts";

const REQUESTED = "NamespaceContainmentRequested";

describe("a namespace, by hand", () => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await openShop("request");
  });

  test("in audit mode changes nothing and seals the plan and what it would leave open", async () => {
    const before = await policyNames(shop.namespace);
    const marker = await request({ namespace: shop.namespace, mode: "audit" }, REQUESTED);

    const result = resultOf(await endOf(marker));

    expect(result).toMatchObject({
      verdict: "audited",
      quarantinedAt: null,
      timeToContainMs: null,
      reasons: [{ code: "establishedFlowsMaySurvive" }],
    });
    expect(await policyNames(shop.namespace)).toEqual(before);
    const artefacts = await artefactsOf(result.case.runId);
    expect(artefacts).toContain("audit.json");
    expect(artefacts).toContain("plan.json");
    expect(artefacts).not.toContain("policy.json");
    expect((await verify(result.case.runId)).problems).toEqual([]);
  });

  test("is contained once every policy that allows is pointed at nothing", async () => {
    const { namespace } = shop;
    const allowing = await policyNames(namespace);
    const marker = await request({ namespace, mode: "containment" }, REQUESTED);

    const result = resultOf(await endOf(marker));

    expect(result).toMatchObject({ verdict: "contained", reasons: [] });
    expect(await policyNames(namespace)).toEqual([...allowing, "quarantine-deny-all"].toSorted());
    for (const name of allowing) {
      const { spec } = await networking.readNamespacedNetworkPolicy({ namespace, name });
      expect(spec?.podSelector).toEqual({ matchLabels: { [SUSPENDED_LABEL]: result.case.id } });
    }
  });

  test("is contained when nothing in it allows anything", async () => {
    const bare = await openShop("bare");
    await networking.deleteCollectionNamespacedNetworkPolicy({ namespace: bare.namespace });
    const marker = await request({ namespace: bare.namespace, mode: "containment" }, REQUESTED);

    expect(resultOf(await endOf(marker))).toMatchObject({ verdict: "contained", reasons: [] });
  });
});

describe("an alert that comes again", () => {
  test("joins the open case and acts no second time", async () => {
    const shop = await openShop("twice");
    const victim = victimOf(shop);
    const first = await raiseAlert(shop.namespace, victim);
    const second = await raiseAlert(shop.namespace, victim);

    const ends = await Promise.all([endOf(first.id), endOf(second.id)]);
    const outcomes = ends.map(({ output }) => (output as { outcome: string }).outcome);

    expect(outcomes.toSorted()).toEqual(["contained", "joined"]);
    const cases = ends.map(({ output }) => (output as { case: { id: string } }).case.id);
    expect(new Set(cases).size).toBe(1);
    expect((await policyNames(shop.namespace)).filter((n) => n.startsWith("quarantine-"))).toEqual([
      `quarantine-${cases[0]}`,
    ]);
  });

  test("as the very same message, twice, is one containment", async () => {
    const shop = await openShop("same");
    const { id, body } = await raiseAlert(shop.namespace, victimOf(shop));
    await endOf(id);
    await sendBody(body);
    const arns = async () => {
      const all = await Promise.all(
        (await executions.list()).map((arn) => executions.describe(arn)),
      );
      return all.filter(({ input }) => JSON.stringify(input).includes(id));
    };

    const two = await waitFor({ what: "the second execution", limitMs: 30_000 }, async () => {
      const found = await arns();
      return found.length === 2 && found.every(({ status }) => status !== "RUNNING")
        ? found
        : undefined;
    });

    const outcomes = two.map(({ output }) => (output as { outcome: string }).outcome);
    expect(outcomes.toSorted()).toEqual(["contained", "joined"]);
  });
});

describe("a pod that another policy still allows", () => {
  test("is partial, and the policy is named", async () => {
    const shop = await openShop("open");
    const { namespace } = shop;
    await networking.createNamespacedNetworkPolicy({
      namespace,
      body: {
        metadata: { name: "allow-everyone" },
        spec: { podSelector: {}, ingress: [{}], policyTypes: ["Ingress"] },
      },
    });
    const { id } = await raiseAlert(namespace, victimOf(shop));

    const result = resultOf(await endOf(id));

    expect(result).toMatchObject({
      verdict: "partial",
      reasons: expect.arrayContaining([
        { code: "otherPolicyAllows", message: expect.stringContaining("allow-everyone") },
      ]),
    });
    const pod = await core.readNamespacedPod({ namespace, name: victimOf(shop).name });
    expect(pod.metadata?.labels?.[CASE_LABEL]).toBe(result.case.id);
  });
});
