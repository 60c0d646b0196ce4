import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { openCaseKey } from "../../core/evidence/keys.ts";
import { terminalShellAlert } from "../../local/falco.ts";
import type { Shop } from "../../local/scene.ts";
import {
  deadLetterOf,
  endOf,
  openShop,
  policyNames,
  raiseAlert,
  request,
  resultOf,
  sendBody,
  stateNames,
  store,
  verify,
  victimOf,
} from "./harness.ts";

let shop: Shop;
let policies: readonly string[];

beforeAll(async () => {
  shop = await openShop("refused");
  policies = await policyNames(shop.namespace);
});

describe("what is understood and must not act", () => {
  test.each([
    ["a null namespace", /"k8s.ns.name":"[^"]*"/, '"k8s.ns.name":null', "k8s.ns.name is missing"],
    ["a host process", /"container.id":"[^"]*"/, '"container.id":"host"', "process of the host"],
    ["Falco's test rule", /"rule":"[^"]*"/, '"rule":"Test rule"', "test message"],
    [
      "a namespace that walks",
      /"k8s.ns.name":"[^"]*"/,
      '"k8s.ns.name":"a/../kube-system"',
      "not a DNS label",
    ],
  ])("is ignored with its reason and its raw body: %s", async (_, field, replacement, reason) => {
    const pod = victimOf(shop);
    const body = await terminalShellAlert({ ...pod, namespace: shop.namespace, pod: pod.name });
    const id = randomUUID();
    const sent = body.replace(field, replacement).replace(/"uuid":"[^"]*"/, `"uuid":"${id}"`);
    await sendBody(sent);

    const { status, output } = await endOf(id);

    expect(status).toBe("SUCCEEDED");
    expect(output).toMatchObject({
      outcome: "ignored",
      reason: expect.stringContaining(reason),
    });
    const { evidence } = output as { evidence: { key: string } };
    const kept = await store.read<{ event: { detail: { body: string } } }>(evidence.key);
    expect(kept?.document.event.detail.body).toBe(sent);
  });

  test("is ignored for a misspelt mode, never taken for audit or containment", async () => {
    const marker = await request(
      { namespace: shop.namespace, mode: "Containment" },
      "NamespaceContainmentRequested",
    );

    expect((await endOf(marker)).output).toMatchObject({
      outcome: "ignored",
      reason: expect.stringContaining('unknown mode "Containment"'),
    });
    expect(await policyNames(shop.namespace)).toEqual(policies);
  });
});

describe("a target that is not the one", () => {
  test.each([
    ["a pod that does not exist", { pod: "checkout-gone" }, "does not exist"],
    ["another container", { containerId: "0123456789ab" }, "has no container"],
  ])("is left alone and stays free for the next alert: %s", async (_, change, reason) => {
    const { id } = await raiseAlert(shop.namespace, victimOf(shop), change);

    const report = await endOf(id);
    const result = resultOf(report);

    expect(result).toMatchObject({
      outcome: "ignored",
      verdict: "ignored",
      reasons: [{ code: "targetNotProven", message: expect.stringContaining(reason) }],
    });
    expect(await policyNames(shop.namespace)).toEqual(policies);
    expect((await verify(result.case.runId)).problems).toEqual([]);
    expect(await store.read(openCaseKey(result.target))).toBeNull();
  });
});

describe("what cannot be read", () => {
  test.each([["hello"], ["{"], ['"\\u0000"']])(
    "waits in the dead-letter queue with its reason: %s",
    async (text) => {
      const sent = `${text} ${randomUUID()}`;
      await sendBody(sent);

      const { status, output, arn } = await endOf(JSON.stringify(sent).slice(1, -1));
      const letter = await deadLetterOf(sent);

      expect(status).toBe("SUCCEEDED");
      expect(output).toMatchObject({ outcome: "deadLettered" });
      expect(letter.Body).toBe(sent);
      expect(letter.MessageAttributes?.Reason?.StringValue).toContain("not JSON");
      expect(letter.MessageAttributes?.Execution?.StringValue).toBe(arn);
    },
  );
});

describe("a protected namespace", () => {
  test("is audited instead of contained", async () => {
    const marker = await request(
      { namespace: "kube-system", mode: "containment" },
      "NamespaceContainmentRequested",
    );

    const report = await endOf(marker);

    expect(resultOf(report)).toMatchObject({ verdict: "audited", mode: "audit" });
    expect(await stateNames(report.arn)).toContain("ApplyPolicy");
    expect(await policyNames("kube-system")).toEqual([]);
  });
});
