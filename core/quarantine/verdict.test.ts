import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { aPod, aPolicy, networkPolicies } from "../../test/memory/cluster.ts";
import { CILIUM, SETTINGS, VPC } from "../../test/memory/quarantine-input.ts";
import type { NetworkFacts } from "../cluster/network.ts";
import type { Pod } from "../kubernetes.ts";
import type { ClusterNetworkPolicy, NetworkPolicy, PolicySet } from "../policies.ts";
import { CASE_LABEL, SUSPENDED_LABEL } from "./labels.ts";
import type { Owner } from "./owner.ts";
import { denialsOf, type Plan } from "./plan.ts";
import { type NamespaceInput, planNamespaceQuarantine } from "./plan-namespace.ts";
import { planPodQuarantine } from "./plan-pod.ts";
import { REASONS } from "./reasons.ts";
import { seenPod } from "./seen-pod.ts";
import type { Order } from "./settings.ts";
import { afterSteps } from "./simulate.ts";
import { type Observation, verdictOf } from "./verdict.ts";

const CASE = "c-20261122-0123456789";
const ALLOW_ALL = { podSelector: {}, ingress: [{}], egress: [{}] };
const Q = aPod({ metadata: { name: "checkout-6d8f-1" } });
const SIBLING = aPod({ metadata: { name: "checkout-6d8f-2", uid: "uid-2" } });

const DEPLOYMENT: Owner = {
  kind: "Deployment",
  workload: { metadata: { name: "checkout", namespace: "payments", uid: "d" }, spec: {} },
};
const NAMESPACE_LABELS = { "kubernetes.io/metadata.name": "payments" };

interface Situation {
  readonly network?: NetworkFacts;
  readonly before?: readonly NetworkPolicy[];
  readonly pods?: readonly Pod[];
  readonly owner?: Owner;
  readonly order?: Order;
}

function planFor({ network = CILIUM, before = [], pods = [Q], owner, order }: Situation): Plan {
  return planPodQuarantine({
    caseId: CASE,
    mode: "containment",
    brakes: [],
    plannedAt: "2026-11-22T17:55:00.000Z",
    network,
    policies: networkPolicies(...before),
    namespaceLabels: NAMESPACE_LABELS,
    order: order ?? "clean",
    settings: SETTINGS,
    target: { kind: "pod", namespace: "payments", name: "checkout-6d8f-1", uid: "uid-1" },
    pod: Q,
    owner: owner ?? { kind: "none" },
    surroundings: {
      pods: { items: pods, remaining: 0 },
      services: { items: [], remaining: 0 },
      disruptionBudgets: { items: [], remaining: 0 },
      autoscalers: { items: [], remaining: 0 },
    },
  });
}

/** The cluster as it is once every write of the plan was made and the CNI's controller knows it. */
function carriedOut(plan: Plan, { before = [], pods = [Q] }: Situation): Observation {
  const seen = afterSteps(plan, {
    namespaceLabels: NAMESPACE_LABELS,
    pods: pods.map(seenPod),
    policies: networkPolicies(...before),
    endpoints: null,
    completion: null,
  });
  const listed = { name: Q.metadata.name, namespace: "payments", podIP: "10.0.0.11", hostIP: "h" };
  return {
    ...seen,
    endpoints: denialsOf(plan).map(({ metadata: { name, namespace } }) => ({
      metadata: { name: `${name}-x` },
      spec: {
        policyRef: { name, ...(namespace && { namespace }) },
        podSelectorEndpoints: [listed],
      },
    })),
    completion: {
      caseId: CASE,
      braked: null,
      phases: plan.phases.slice(1).map((_, index) => ({
        phase: index + 1,
        conditionMet: true,
        waitedFor: "until the pods are gone",
        endedAt: "2026-11-22T17:56:00.000Z",
        carriedOut: [],
      })),
    },
  };
}

function judge(situation: Situation, change: (seen: Observation) => Observation = (seen) => seen) {
  const plan = planFor(situation);
  return verdictOf(plan, change(carriedOut(plan, situation)));
}

const codes = (...args: Parameters<typeof judge>) => judge(...args).reasons.map(({ code }) => code);

function withPolicies(change: (policies: PolicySet) => Partial<PolicySet>) {
  return (seen: Observation): Observation => ({
    ...seen,
    policies: { ...seen.policies, ...change(seen.policies) },
  });
}

describe("a quarantined pod", () => {
  test("is contained when nothing else lets its traffic pass", () => {
    const before = [
      aPolicy("for-checkout", { podSelector: { matchLabels: { app: "checkout" } }, ingress: [{}] }),
    ];

    expect(judge({ before })).toEqual({ verdict: "contained", reasons: [] });
  });

  test("is contained under a deny that overrides every policy that allows", () => {
    expect(judge({ before: [aPolicy("allow-all", ALLOW_ALL)] }).verdict).toBe("contained");
  });

  test("is partial without that, and the policies that allow are named", () => {
    const unknown: NetworkFacts = { ...CILIUM, cni: null, enforcing: "unknown", policyKinds: [] };
    const before = [
      aPolicy("allow-everyone", { podSelector: {}, ingress: [{}] }),
      aPolicy("allow-dns", { podSelector: {}, egress: [{}], policyTypes: ["Egress"] }),
      aPolicy("deny-too", { podSelector: {}, policyTypes: ["Ingress"] }),
    ];

    expect(judge({ network: unknown, before })).toMatchObject({
      verdict: "partial",
      reasons: [
        {
          code: "otherPolicyAllows",
          policies: ["payments/allow-everyone", "payments/allow-dns"],
        },
        { code: "cniUnknown" },
        { code: "establishedFlowsMaySurvive" },
      ],
    });
  });

  test("is partial without its policies, its label or their right selection", () => {
    const own = (change: (policy: NetworkPolicy) => NetworkPolicy) =>
      withPolicies(({ networkPolicies: all }) => ({ networkPolicies: all.map(change) }));
    const spec = (more: Partial<NetworkPolicy["spec"]>) =>
      own((policy) => ({ ...policy, spec: { ...policy.spec, ...more } }));

    expect(
      codes(
        {},
        withPolicies(() => ({ networkPolicies: [] })),
      ),
    ).toContain("policyMissing");
    expect(
      codes(
        {},
        withPolicies(() => ({ ciliumNetworkPolicies: [] })),
      ),
    ).toContain("policyMissing");
    expect(codes({}, spec({ podSelector: { matchLabels: { a: "b" } } }))).toContain(
      "policyChanged",
    );
    expect(codes({}, spec({ policyTypes: ["Ingress"] }))).toContain("policyChanged");
    expect(
      codes(
        {},
        own((policy) => ({ ...policy, metadata: { ...policy.metadata, labels: {} } })),
      ),
    ).toContain("policyMissing");
    expect(
      codes(
        {},
        own((policy) => ({
          ...policy,
          metadata: { ...policy.metadata, deletionTimestamp: "2026-11-22T17:56:00Z" },
        })),
      ),
    ).toContain("policyMissing");
    expect(codes({}, (seen) => ({ ...seen, pods: [seenPod(Q)] }))).toContain("labelMissing");
  });

  test("whose own policy was given a rule is not contained where nothing overrides it", () => {
    const calico: NetworkFacts = { ...CILIUM, cni: null, enforcing: "unknown" };
    const opened = withPolicies(({ networkPolicies: all }) => ({
      networkPolicies: all.map((policy) => ({ ...policy, spec: { ...policy.spec, egress: [{}] } })),
    }));

    expect(codes({ network: calico }, opened)).toContain("otherPolicyAllows");
  });

  test("that went away is not called contained, nor is its successor", () => {
    const successor = seenPod(aPod({ metadata: { uid: "uid-9", labels: { [CASE_LABEL]: CASE } } }));
    const ended = (seen: Observation) => ({
      ...seen,
      pods: seen.pods.map((pod) => ({ ...pod, ended: true })),
    });

    expect(codes({}, (seen) => ({ ...seen, pods: [] }))).toEqual(["podGone"]);
    expect(codes({}, (seen) => ({ ...seen, pods: [successor] }))).toEqual(["podGone"]);
    expect(codes({}, ended)).toEqual(["podGone"]);
  });

  test.each([
    ["the host's network", { hostNetwork: true }, "hostNetwork"],
    ["Fargate", { fargate: true }, "fargate"],
    ["Windows", { windows: true }, "windows"],
  ])("on %s cannot be cut off by a policy", (_, change, code) => {
    const moved = (seen: Observation) => ({
      ...seen,
      pods: seen.pods.map((pod) => ({ ...pod, ...change })),
    });

    expect(judge({}, moved).verdict).toBe("notEnforceable");
    expect(codes({}, moved)).toContain(code);
  });

  test("with further interfaces is partial: no policy covers these", () => {
    const multus = (seen: Observation) => ({
      ...seen,
      pods: seen.pods.map((pod) => ({ ...pod, otherNetworks: true })),
    });

    expect(judge({}, multus)).toMatchObject({
      verdict: "partial",
      reasons: [{ code: "otherNetworks" }],
    });
  });

  test("under a policy that is not understood is partial, and the policy is named", () => {
    const unknown: NetworkFacts = { ...CILIUM, cni: null, enforcing: "unknown" };
    const strange = { podSelector: {}, ingress: [{ from: [{ somethingNew: {} }] }] };
    const before = [aPolicy("strange", strange as NetworkPolicy["spec"])];

    expect(judge({ network: unknown, before }).reasons).toContainEqual(
      expect.objectContaining({ code: "policyUnreadable", policies: ["payments/strange"] }),
    );
  });

  test("under a policy for administrators is partial: they may come before everything else", () => {
    const admin = { kind: "AdminNetworkPolicy", metadata: { name: "let-in" } };
    const added = withPolicies(() => ({ adminPolicies: [admin] }));

    expect(codes({}, added)).toEqual(["policyUnreadable"]);
    expect(codes({ network: VPC }, added)).toEqual([]);
  });

  test("under Calico may keep its established connections", () => {
    const network: NetworkFacts = { ...CILIUM, cni: "calico" };

    expect(judge({ network })).toMatchObject({
      verdict: "partial",
      reasons: [{ code: "establishedFlowsMaySurvive" }],
    });
  });

  test("of a CNI that is switched off is not enforceable", () => {
    expect(judge({ network: { ...VPC, enforcing: "off" } })).toMatchObject({
      verdict: "notEnforceable",
      reasons: [{ code: "networkPolicyOff" }],
    });
  });
});

describe("on the AWS VPC CNI", () => {
  test("a pod that nothing selected before and that shares its name with none is contained", () => {
    expect(judge({ network: VPC })).toEqual({ verdict: "contained", reasons: [] });
  });

  test("a pod is not contained before the controller has resolved the policies to it", () => {
    expect(codes({ network: VPC }, (seen) => ({ ...seen, endpoints: [] }))).toEqual([
      "policyNotResolved",
      "policyNotResolved",
    ]);
  });

  test("a mode that was not tested is said", () => {
    expect(codes({ network: { ...VPC, mode: "strict" } })).toEqual(["modeUnproven"]);
  });

  test("siblings that an allow policy selects keep the pod open, whatever it is under itself", () => {
    const before = [
      aPolicy("allow-app", { podSelector: { matchLabels: { app: "checkout" } }, ingress: [{}] }),
    ];
    const pods = [Q, SIBLING];
    const owner: Owner = { ...DEPLOYMENT, kind: "StatefulSet" };

    expect(judge({ network: VPC, before, pods, owner }).reasons).toContainEqual(
      expect.objectContaining({
        code: "sharedIdentifierOpen",
        pods: ["checkout-6d8f-2"],
        policies: ["payments/allow-app"],
      }),
    );
  });

  test("siblings that nothing allows are cut off together with the pod", () => {
    const owner: Owner = { ...DEPLOYMENT, kind: "StatefulSet" };

    expect(judge({ network: VPC, pods: [Q, SIBLING], owner }).reasons).toContainEqual(
      expect.objectContaining({ code: "sharedIdentifierCut", pods: ["checkout-6d8f-2"] }),
    );
  });

  test("a policy that allowed the siblings only since the plan was made counts too", () => {
    const since = aPolicy("since", {
      podSelector: { matchLabels: { app: "checkout" } },
      ingress: [{}],
    });
    const came = withPolicies(({ networkPolicies: all }) => ({ networkPolicies: [...all, since] }));

    expect(judge({ network: VPC, owner: DEPLOYMENT }, came).reasons).toContainEqual(
      expect.objectContaining({ code: "sharedIdentifierOpen", policies: ["payments/since"] }),
    );
  });

  test("a rollout that did not end in time is said", () => {
    const late = (seen: Observation): Observation => ({
      ...seen,
      completion: seen.completion && {
        ...seen.completion,
        phases: seen.completion.phases.map((phase) => ({ ...phase, conditionMet: false })),
      },
    });

    expect(codes({ network: VPC, owner: DEPLOYMENT }, late)).toContain("phaseIncomplete");
  });

  test("connections of a pod that was under a policy before are cut by the clean order only", () => {
    const before = [aPolicy("deny", { podSelector: { matchLabels: { app: "checkout" } } })];
    const situation = { network: VPC, before, owner: DEPLOYMENT };

    expect(codes({ ...situation, order: "clean" })).toEqual([]);
    expect(codes({ ...situation, order: "fast" })).toEqual(["establishedFlowsMaySurvive"]);
  });
});

describe("a quarantined namespace", () => {
  const planInput = (network: NetworkFacts, before: readonly NetworkPolicy[]): NamespaceInput => ({
    caseId: CASE,
    mode: "containment",
    brakes: [],
    plannedAt: "2026-11-22T17:55:00.000Z",
    network,
    policies: networkPolicies(...before),
    namespaceLabels: NAMESPACE_LABELS,
    order: "fast",
    settings: SETTINGS,
    target: { kind: "namespace", namespace: "payments", uid: "uid-of-payments" },
  });
  const planOf = (network: NetworkFacts, before: readonly NetworkPolicy[] = []) =>
    planNamespaceQuarantine(planInput(network, before));
  const judgeNamespace = (
    network: NetworkFacts,
    before: readonly NetworkPolicy[] = [],
    pods: readonly Pod[] = [Q],
  ) => {
    const plan = planOf(network, before);
    return verdictOf(plan, {
      ...carriedOut(plan, { before, pods }),
      completion: null,
    });
  };
  const unknown: NetworkFacts = { ...CILIUM, cni: null, enforcing: "unknown" };

  test("is contained when the CNI's own deny overrides all of it", () => {
    expect(judgeNamespace(CILIUM, [aPolicy("allow-all", ALLOW_ALL)]).verdict).toBe("contained");
  });

  test("is partial for an allow policy, even one that selects no pod yet", () => {
    const allow = aPolicy("later", {
      podSelector: { matchLabels: { app: "later" } },
      ingress: [{}],
    });

    expect(judgeNamespace(unknown, [allow]).reasons).toContainEqual(
      expect.objectContaining({ code: "otherPolicyAllows", policies: ["payments/later"] }),
    );
  });

  test("is partial when one of its pods is on the host's network", () => {
    const agent = aPod({ metadata: { name: "agent", uid: "u" }, spec: { hostNetwork: true } });

    expect(judgeNamespace(CILIUM, [], [Q, agent])).toMatchObject({
      verdict: "partial",
      reasons: [{ code: "hostNetwork", pods: ["agent"] }],
    });
  });

  test("keeps no connection once the policies that allowed them were suspended first", () => {
    const allow = aPolicy("allow", { podSelector: {}, ingress: [{}] });
    const suspending = planNamespaceQuarantine({
      ...planInput(VPC, [allow]),
      settings: { ...SETTINGS, otherPolicies: { containment: "suspend", audit: "report" } },
    });
    const seen = carriedOut(suspending, { before: [allow] });

    expect(verdictOf(suspending, seen)).toEqual({ verdict: "contained", reasons: [] });
    expect(verdictOf(suspending, { ...seen, completion: null }).reasons).toMatchObject([
      { code: "establishedFlowsMaySurvive" },
    ]);
  });

  test.each([
    [
      "as if we had suspended it",
      { podSelector: { matchLabels: { [SUSPENDED_LABEL]: "me" } } },
      {},
    ],
    ["as if it were ours", { podSelector: {} }, { [CASE_LABEL]: CASE }],
  ])("is open through a policy that somebody labelled %s", (_, spec, labels) => {
    const forged = aPolicy("forged", { ...spec, ingress: [{}], egress: [{}] });
    const plan = planOf(unknown);
    const seen = carriedOut(plan, {});
    const policies = {
      ...seen.policies,
      networkPolicies: [
        ...seen.policies.networkPolicies,
        { ...forged, metadata: { ...forged.metadata, labels } },
      ],
    };

    expect(verdictOf(plan, { ...seen, policies }).reasons).toContainEqual(
      expect.objectContaining({ code: "otherPolicyAllows", policies: ["payments/forged"] }),
    );
  });

  test("is open where another cluster policy accepts before ours denies", () => {
    const accept: ClusterNetworkPolicy = {
      kind: "ClusterNetworkPolicy",
      metadata: { name: "accept" },
      spec: {
        tier: "Admin",
        priority: 0,
        subject: { namespaces: {} },
        egress: [{ action: "Accept", to: [{ networks: ["0.0.0.0/0"] }] }],
      },
    };
    const plan = planOf(VPC);
    const seen = carriedOut(plan, {});
    const { policies } = seen;
    const opened = {
      ...seen,
      policies: {
        ...policies,
        clusterNetworkPolicies: [...policies.clusterNetworkPolicies, accept],
      },
    };

    expect(verdictOf(plan, opened).reasons).toContainEqual(
      expect.objectContaining({
        code: "otherPolicyAllows",
        policies: ["ClusterNetworkPolicy accept"],
      }),
    );
  });
});

test("every code has a sentence that ends as one", () => {
  for (const sentence of Object.values(REASONS)) expect(sentence).toMatch(/^[A-Z].*\.$/);
});

const drawnPolicies = fc.array(
  fc.record({
    name: fc.constantFrom("a", "b", "c", "d", "e"),
    all: fc.boolean(),
    ingress: fc.array(fc.constant({}), { maxLength: 2 }),
    egress: fc.array(fc.constant({}), { maxLength: 2 }),
  }),
);

test("no opening is missed while a policy that selects the pod has a rule, in any order", () => {
  const network: NetworkFacts = { ...CILIUM, cni: null, enforcing: "unknown" };
  fc.assert(
    fc.property(drawnPolicies, (drawn) => {
      const before = drawn.map(({ name, all, ingress, egress }) =>
        aPolicy(name, { podSelector: all ? {} : { matchLabels: { x: "y" } }, ingress, egress }),
      );
      const open = drawn.some(
        ({ all, ingress, egress }) => all && ingress.length + egress.length > 0,
      );
      const said = codes({ network, before }).includes("otherPolicyAllows");
      const reversed = codes({ network, before: before.toReversed() });
      return said === open && reversed.includes("otherPolicyAllows") === open;
    }),
  );
});
