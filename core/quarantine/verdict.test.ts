import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { aPod, aPolicy } from "../../test/memory/cluster.ts";
import type { NetworkPolicy, Pod } from "../kubernetes.ts";
import { CASE_LABEL, planQuarantine, quarantinePolicy } from "./plan.ts";
import { afterSteps, type Observation, verdictOf } from "./verdict.ts";

const CASE = "c-20261122-0123456789";
const NOW = "2026-11-22T17:55:00.000Z";
const POD_PLAN = planQuarantine(
  {
    kind: "pod",
    pod: { namespace: "payments", name: "checkout-1", uid: "uid-1" },
    labels: { app: "checkout" },
  },
  CASE,
  "containment",
  NOW,
);
const NAMESPACE_PLAN = planQuarantine(
  { kind: "namespace", namespace: "payments", uid: "uid-of-payments" },
  CASE,
  "containment",
  NOW,
);
const ALLOW_ALL = { ingress: [{}], policyTypes: ["Ingress"] };

/** The namespace as it is once every step of the pod's plan was carried out. */
function quarantined(pods: Pod[] = [aPod()], policies: NetworkPolicy[] = []): Observation {
  return afterSteps(POD_PLAN, { pods, policies });
}

const codes = (seen: Observation, plan = POD_PLAN) =>
  verdictOf(plan, seen).reasons.map(({ code }) => code);

describe("a quarantined pod", () => {
  test("is contained when nothing else selects it", () => {
    const others = [
      aPolicy("for-checkout", { podSelector: { matchLabels: { app: "checkout" } }, ...ALLOW_ALL }),
    ];

    expect(verdictOf(POD_PLAN, quarantined([aPod()], others))).toEqual({
      verdict: "contained",
      reasons: [],
    });
  });

  test("is partial when another policy selects it and allows, and the policy is named", () => {
    const others = [
      aPolicy("allow-everyone", { podSelector: {}, ...ALLOW_ALL }),
      aPolicy("allow-dns", { podSelector: {}, egress: [{}], policyTypes: ["Egress"] }),
      aPolicy("deny-too", { podSelector: {}, policyTypes: ["Ingress"] }),
    ];

    expect(verdictOf(POD_PLAN, quarantined([aPod()], others))).toMatchObject({
      verdict: "partial",
      reasons: [{ code: "otherPolicyAllows", policies: ["allow-everyone", "allow-dns"] }],
    });
  });

  test("is partial without its policy, its label or its right selection", () => {
    const done = quarantined();
    const policy = quarantinePolicy(POD_PLAN);
    const widened = { ...policy, spec: { ...policy.spec, egress: [{}] } };
    const moved = { ...policy, spec: { ...policy.spec, podSelector: { matchLabels: { a: "b" } } } };
    const half = { ...policy, spec: { ...policy.spec, policyTypes: ["Ingress"] } };

    expect(codes({ ...done, policies: [] })).toEqual(["policyMissing"]);
    expect(codes({ ...done, policies: [widened] })).toEqual(["policyChanged"]);
    expect(codes({ ...done, policies: [moved] })).toEqual(["policyChanged"]);
    expect(codes({ ...done, policies: [half] })).toEqual(["policyChanged"]);
    expect(codes({ ...done, pods: [aPod()] })).toEqual(["labelMissing"]);
  });

  test("that went away is not called contained, nor is its successor", () => {
    const successor = aPod({ metadata: { uid: "uid-2", labels: { [CASE_LABEL]: CASE } } });

    expect(codes({ ...quarantined(), pods: [] })).toEqual(["podGone"]);
    expect(codes({ ...quarantined(), pods: [successor] })).toEqual(["podGone"]);
  });

  test.each([
    ["the host's network", { hostNetwork: true }],
    ["Fargate", { nodeName: "fargate-ip-10-0-1-2" }],
  ])("on %s cannot be cut off by a policy", (_, spec) => {
    expect(verdictOf(POD_PLAN, quarantined([aPod({ spec })])).verdict).toBe("notEnforceable");
  });
});

describe("a quarantined namespace", () => {
  test("is contained when no other policy in it allows anything", () => {
    const seen = afterSteps(NAMESPACE_PLAN, { pods: [aPod()], policies: [] });

    expect(verdictOf(NAMESPACE_PLAN, seen).verdict).toBe("contained");
  });

  test("is partial for an allow policy, even one that selects no pod yet", () => {
    const allow = aPolicy("later", {
      podSelector: { matchLabels: { app: "later" } },
      ...ALLOW_ALL,
    });
    const seen = afterSteps(NAMESPACE_PLAN, { pods: [aPod()], policies: [allow] });

    expect(codes(seen, NAMESPACE_PLAN)).toEqual(["otherPolicyAllows"]);
  });

  test("is partial when one of its pods is on the host's network", () => {
    const pods = [
      aPod(),
      aPod({ metadata: { name: "agent", uid: "u" }, spec: { hostNetwork: true } }),
    ];
    const seen = afterSteps(NAMESPACE_PLAN, { pods, policies: [] });

    expect(verdictOf(NAMESPACE_PLAN, seen)).toMatchObject({
      verdict: "partial",
      reasons: [{ code: "hostNetwork", pods: ["agent"] }],
    });
  });
});

const policies = fc.array(
  fc.record({
    name: fc.constantFrom("a", "b", "c", "d", "e"),
    all: fc.boolean(),
    ingress: fc.array(fc.constant({}), { maxLength: 2 }),
    egress: fc.array(fc.constant({}), { maxLength: 2 }),
  }),
);

test("contained is never said while a policy that selects the pod has a rule, in any order", () => {
  fc.assert(
    fc.property(policies, (drawn) => {
      const others = drawn.map(({ name, all, ingress, egress }) =>
        aPolicy(name, { podSelector: all ? {} : { matchLabels: { x: "y" } }, ingress, egress }),
      );
      const open = drawn.some(
        ({ all, ingress, egress }) => all && ingress.length + egress.length > 0,
      );
      const verdict = verdictOf(POD_PLAN, quarantined([aPod()], others)).verdict;
      const reversed = verdictOf(POD_PLAN, quarantined([aPod()], others.toReversed())).verdict;
      return verdict === (open ? "partial" : "contained") && verdict === reversed;
    }),
  );
});
