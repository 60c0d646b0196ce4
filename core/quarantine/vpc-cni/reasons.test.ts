import { describe, expect, test } from "vitest";
import { aPod, aPolicy, networkPolicies } from "../../../test/memory/cluster.ts";
import { SETTINGS, VPC } from "../../../test/memory/quarantine-input.ts";
import type { NetworkPolicy } from "../../policies.ts";
import { planPodQuarantine } from "../plan-pod.ts";
import { seenPod } from "../seen-pod.ts";
import { afterSteps } from "../simulate.ts";
import { identifierReasons } from "./reasons.ts";

const NAMESPACE_LABELS = { "kubernetes.io/metadata.name": "payments" };
const POD = aPod({ metadata: { name: "checkout-6d8f-1" }, spec: { nodeName: "ip-10-0-0-1" } });
const none = { items: [], remaining: 0 };

/** Of a Deployment's pod after the clean order, its siblings gone. */
function reasons(...others: readonly NetworkPolicy[]) {
  const policies = networkPolicies(...others);
  const plan = planPodQuarantine({
    caseId: "c-20261122-0123456789",
    mode: "audit",
    brakes: [],
    plannedAt: "2026-11-22T17:55:00.000Z",
    network: VPC,
    policies,
    namespaceLabels: NAMESPACE_LABELS,
    order: "clean",
    settings: SETTINGS,
    target: { kind: "pod", namespace: "payments", name: "checkout-6d8f-1", uid: "uid-1" },
    pod: POD,
    owner: {
      kind: "Deployment",
      workload: { metadata: { name: "checkout", namespace: "payments", uid: "d" }, spec: {} },
    },
    surroundings: {
      pods: { items: [POD], remaining: 0 },
      services: none,
      disruptionBudgets: none,
      autoscalers: none,
    },
  });
  const seen = afterSteps(plan, {
    namespaceLabels: NAMESPACE_LABELS,
    pods: [seenPod(POD)],
    policies,
    endpoints: null,
    completion: null,
  });
  return identifierReasons(plan, seen, seen.pods);
}

const ALLOW = aPolicy("allow", {
  podSelector: { matchLabels: { app: "checkout" } },
  ingress: [{}],
});

describe("of a policy that allowed siblings, and that the node's agent may remember", () => {
  test("it is said that the agent loads it by itself, and what makes it forget", () => {
    const [remembered] = reasons(ALLOW);

    expect(remembered).toMatchObject({
      code: "sharedIdentifierOpen",
      policies: ["payments/allow"],
      message: expect.stringMatching(
        /^closed only until then: the agent on node ip-10-0-0-1 .*by itself, .*aws-node/,
      ),
    });
  });

  test("another policy that selects the pod, allowing or not, is named as what makes it load", () => {
    const [remembered] = reasons(ALLOW, aPolicy("default-deny", { podSelector: {} }));

    expect(remembered).toMatchObject({
      policies: ["payments/allow"],
      message: expect.stringMatching(/^the agent .*whenever pods of payments\/default-deny change/),
    });
  });
});

test("a pod that nothing allowed before leaves nothing to remember", () => {
  expect(reasons(aPolicy("deny", { podSelector: { matchLabels: { app: "checkout" } } }))).toEqual(
    [],
  );
});
