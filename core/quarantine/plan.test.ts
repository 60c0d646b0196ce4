import { describe, expect, test } from "vitest";
import { aPod, aPolicy, networkPolicies } from "../../test/memory/cluster.ts";
import { SETTINGS, VPC } from "../../test/memory/quarantine-input.ts";
import type { NetworkFacts } from "../cluster/network.ts";
import type { Pod, Surroundings, Workload } from "../kubernetes.ts";
import { CASE_LABEL, MANAGED_BY_LABEL, SUSPENDED_LABEL } from "./labels.ts";
import type { Owner } from "./owner.ts";
import type { Plan } from "./plan.ts";
import { type NamespaceInput, planNamespaceQuarantine } from "./plan-namespace.ts";
import { type PodInput, planPodQuarantine } from "./plan-pod.ts";

const CASE = "c-20261122-0123456789";

function network(facts: Partial<NetworkFacts> = {}): NetworkFacts {
  return {
    ...VPC,
    ...facts,
  };
}

const CHECKOUT = aPod({ metadata: { name: "checkout-6d8f-1" } });

function deployment(changes: Partial<Workload["spec"]> = {}) {
  return {
    kind: "Deployment" as const,
    workload: {
      metadata: { name: "checkout", namespace: "payments", uid: "uid-of-checkout" },
      spec: { replicas: 3, ...changes },
    },
  };
}

function around(pods: readonly Pod[], rest: Partial<Surroundings> = {}): Surroundings {
  const none = { items: [], remaining: 0 };
  return {
    pods: { items: pods, remaining: 0 },
    services: none,
    disruptionBudgets: none,
    autoscalers: none,
    ...rest,
  };
}

function plan(changes: Partial<PodInput> = {}): Plan {
  return planPodQuarantine({
    caseId: CASE,
    mode: "containment",
    brakes: [],
    plannedAt: "2026-11-22T17:55:00.000Z",
    network: network(),
    policies: networkPolicies(),
    namespaceLabels: { "kubernetes.io/metadata.name": "payments" },
    order: "fast",
    settings: SETTINGS,
    target: { kind: "pod", namespace: "payments", name: "checkout-6d8f-1", uid: "uid-1" },
    pod: CHECKOUT,
    owner: deployment(),
    surroundings: around([CHECKOUT]),
    ...changes,
  });
}

/** `patch Pod, create NetworkPolicy | siblingsGone: delete ClusterNetworkPolicy`. */
function outline({ phases }: Plan): string {
  return phases
    .map(({ after, steps }) => {
      const writes = steps.map(({ write }) => `${write.action} ${write.object.kind}`).join(", ");
      return after ? `${after.until}: ${writes}` : writes;
    })
    .join(" | ");
}

const notes = (made: Plan, code: string) =>
  made.notes.filter((note) => note.code === code).map(({ message }) => message);

describe("the order of writes on the AWS VPC CNI", () => {
  test("fast: every policy at once, then the cluster policy is made anew without siblings", () => {
    expect(outline(plan())).toBe(
      "patch Pod, create NetworkPolicy, create ClusterNetworkPolicy, patch Deployment" +
        " | siblingsGone: delete ClusterNetworkPolicy" +
        " | endpointsGone: create ClusterNetworkPolicy",
    );
  });

  test("clean: the cluster policy comes once no sibling's rules are loaded", () => {
    expect(outline(plan({ order: "clean" }))).toBe(
      "patch Pod, create NetworkPolicy, patch Deployment" +
        " | siblingsGone: create ClusterNetworkPolicy",
    );
  });

  test("clean cuts the siblings too rather than leave the target open for ever", () => {
    expect(plan({ order: "clean" }).phases[1]?.otherwise).toBe("carryOut");
  });

  test("without ClusterNetworkPolicy the siblings are waited for, so that the verdict is true", () => {
    const bare = network({ policyKinds: ["NetworkPolicy", "PolicyEndpoint"] });

    expect(outline(plan({ network: bare }))).toBe(
      "patch Pod, create NetworkPolicy, patch Deployment | siblingsGone: ",
    );
    expect(
      outline(plan({ network: bare, settings: { ...SETTINGS, recreateToCutFlows: true } })),
    ).toBe(
      "patch Pod, create NetworkPolicy, patch Deployment" +
        " | siblingsGone: delete NetworkPolicy | endpointsGone: create NetworkPolicy",
    );
  });

  test.each([
    ["a StatefulSet's pod", "StatefulSet", "while the pod holds the name"],
    ["a DaemonSet's pod", "DaemonSet", "a replacement on the same node"],
    ["a Job's pod", "Job", "starts another one until it has completed"],
    ["a bare ReplicaSet's pod", "ReplicaSet", "starts a replacement"],
  ] as const)(
    "%s cannot be given siblings of another identifier, and the plan says so",
    (_, kind, said) => {
      const owner: Owner = { kind, workload: deployment().workload };
      const sibling = aPod({ metadata: { name: "checkout-6d8f-2", uid: "uid-2" } });
      const made = plan({ owner, surroundings: around([CHECKOUT, sibling]) });

      expect(outline(made)).toBe("patch Pod, create NetworkPolicy, create ClusterNetworkPolicy");
      expect(notes(made, "replacement")[0]).toContain(said);
      expect(notes(made, "notPossible")[0]).toContain("checkout-6d8f-2");
    },
  );

  test("a paused Deployment is not rolled out, and the plan says so", () => {
    const made = plan({ owner: deployment({ paused: true }) });

    expect(outline(made)).not.toContain("Deployment");
    expect(notes(made, "notPossible")[0]).toContain("paused");
  });

  test("the price of each order names the siblings that pay it", () => {
    const sibling = aPod({ metadata: { name: "checkout-6d8f-2", uid: "uid-2" } });
    const stranger = aPod({ metadata: { name: "cart-1", uid: "uid-3" } });
    const surroundings = around([CHECKOUT, sibling, stranger]);

    expect(notes(plan({ surroundings }), "price")).toEqual([
      expect.stringMatching(/cut off too until .*: checkout-6d8f-2$/),
    ]);
    expect(notes(plan({ surroundings, order: "clean" }), "price")).toEqual([
      expect.stringMatching(/stays reachable as its siblings .*: checkout-6d8f-2$/),
    ]);
  });
});

test.each([
  ["cilium", ["CiliumNetworkPolicy"], "create CiliumNetworkPolicy"],
  ["calico", ["CalicoGlobalNetworkPolicy"], "create GlobalNetworkPolicy"],
] as const)(
  "%s judges pod by pod: one phase, and its own strongest policy",
  (cni, policyKinds, write) => {
    const made = plan({ network: network({ cni, mode: null, policyKinds }) });

    expect(outline(made)).toBe(`patch Pod, create NetworkPolicy, ${write}`);
  },
);

test("an unknown CNI gets what every CNI knows", () => {
  const made = plan({ network: network({ cni: null, enforcing: "unknown", policyKinds: [] }) });

  expect(outline(made)).toBe("patch Pod, create NetworkPolicy");
});

describe("each write", () => {
  test("on an object that exists is bound to its UID, and names how it is undone", () => {
    const [labels, , , restart] = plan().phases[0]?.steps ?? [];

    expect(labels).toMatchObject({
      write: {
        object: { kind: "Pod", name: "checkout-6d8f-1", uid: "uid-1" },
        patch: [
          {
            path: "/metadata/labels",
            value: { [CASE_LABEL]: CASE, [MANAGED_BY_LABEL]: expect.any(String) },
          },
        ],
      },
      // With its hash the old ReplicaSet would take the pod back and delete it.
      undo: {
        patch: [
          { op: "test", path: "/metadata/labels/eks-containment~1case", value: CASE },
          { path: "/metadata/labels", value: { app: "checkout" } },
        ],
      },
    });
    expect(restart).toMatchObject({
      write: { object: { kind: "Deployment", uid: "uid-of-checkout" } },
      undo: { action: "none" },
    });
  });

  test("of a quarantine policy is undone by deleting it", () => {
    expect(plan().phases[0]?.steps[2]).toMatchObject({
      undo: {
        action: "delete",
        kind: "ClusterNetworkPolicy",
        namespace: null,
        name: `quarantine-${CASE}`,
      },
    });
  });

  test("adds to a template's annotations and never replaces them", () => {
    const annotations = { "prometheus.io/scrape": "true" };
    const owner = deployment({ template: { metadata: { annotations } } });
    const restart = plan({ owner }).phases[0]?.steps.at(-1)?.write;

    expect(restart).toMatchObject({
      patch: [
        {
          op: "add",
          path: expect.stringContaining("/annotations/kubectl.kubernetes.io~1restarted"),
        },
      ],
    });
  });
});

describe("the workload response", () => {
  test("scales to zero with the replica count recorded, behind an autoscaler and a budget", () => {
    const surroundings = around([CHECKOUT], {
      autoscalers: {
        items: [
          {
            metadata: { name: "hpa" },
            spec: { scaleTargetRef: { kind: "Deployment", name: "checkout" } },
          },
        ],
        remaining: 0,
      },
      disruptionBudgets: {
        items: [
          {
            metadata: { name: "pdb" },
            spec: { selector: { matchLabels: { app: "checkout" } } },
          },
        ],
        remaining: 0,
      },
    });
    const made = plan({ surroundings, settings: { ...SETTINGS, workload: "scaleToZero" } });

    expect(made.phases[0]?.steps.at(-1)).toMatchObject({
      write: { patch: [{ path: "/spec/replicas", value: 0 }] },
      undo: { patch: [{ path: "/spec/replicas", value: 3 }] },
    });
    expect(made.affected).toMatchObject({
      workload: "Deployment payments/checkout",
      horizontalPodAutoscalers: ["hpa"],
      podDisruptionBudgets: ["pdb"],
    });
    expect(notes(made, "autoscaler")).toHaveLength(1);
    expect(notes(made, "budget")).toHaveLength(1);
  });

  test("marks the workload, and warns of the tool that will take the mark off", () => {
    const owner = deployment();
    const managed: Owner = {
      ...owner,
      workload: {
        ...owner.workload,
        metadata: { ...owner.workload.metadata, labels: { "argocd.argoproj.io/instance": "shop" } },
      },
    };
    const made = plan({ owner: managed, settings: { ...SETTINGS, workload: "annotate" } });

    expect(outline(made)).toContain("patch Deployment, patch Deployment");
    expect(notes(made, "gitOps")).toEqual([expect.stringContaining("Argo CD")]);
  });

  test.each([
    ["a bare pod", { kind: "none" }],
    ["an unknown controller", { kind: "unknown", name: "Rollout checkout" }],
    ["a DaemonSet", { kind: "DaemonSet", workload: deployment().workload }],
  ] satisfies [string, Owner][])("says what is not possible for %s", (_, owner) => {
    const made = plan({
      owner,
      network: network({ cni: "cilium", policyKinds: ["CiliumNetworkPolicy"] }),
      settings: { ...SETTINGS, workload: "scaleToZero" },
    });

    expect(notes(made, "notPossible")).toHaveLength(1);
    expect(made.phases[0]?.steps).toHaveLength(3);
  });
});

test("the Services that lose the pod are named, and what was not looked at is told", () => {
  const surroundings = around([CHECKOUT], {
    services: {
      items: [
        { metadata: { name: "checkout" }, spec: { selector: { app: "checkout" } } },
        { metadata: { name: "cart" }, spec: { selector: { app: "cart" } } },
        { metadata: { name: "by-hand" }, spec: {} },
      ],
      remaining: 12,
    },
  });

  expect(plan({ surroundings }).affected).toMatchObject({
    services: ["checkout"],
    unknown: ["12 more Services were not looked at"],
  });
  expect(plan({ surroundings: null }).affected?.unknown).toHaveLength(1);
});

describe("the quarantine of a namespace", () => {
  const allowing = aPolicy("allow-web", {
    podSelector: { matchLabels: { app: "web" } },
    ingress: [{}],
  });
  const denying = aPolicy("deny", { podSelector: {}, policyTypes: ["Ingress"] });

  function planOf(changes: Partial<NamespaceInput> = {}): Plan {
    return planNamespaceQuarantine({
      caseId: CASE,
      mode: "containment",
      brakes: [],
      plannedAt: "2026-11-22T17:55:00.000Z",
      network: network(),
      policies: networkPolicies(allowing, denying),
      namespaceLabels: { "kubernetes.io/metadata.name": "payments" },
      order: "fast",
      settings: { ...SETTINGS, otherPolicies: { containment: "suspend", audit: "report" } },
      target: { kind: "namespace", namespace: "payments", uid: "uid-of-payments" },
      ...changes,
    });
  }

  test("points every policy that allows at nothing, and keeps what it selected", () => {
    const made = planOf();

    expect(outline(made)).toBe(
      "create NetworkPolicy, patch NetworkPolicy | suspended: create ClusterNetworkPolicy",
    );
    expect(made.phases[0]?.steps[1]).toMatchObject({
      write: {
        object: { name: "allow-web", uid: "uid-of-allow-web" },
        patch: [{ value: { matchLabels: { [SUSPENDED_LABEL]: CASE } } }, { value: null }],
      },
      undo: { patch: [{ value: { matchLabels: { app: "web" } } }, { value: [{}] }] },
    });
  });

  test("only reports them in audit, and where the setting says so", () => {
    const report = {
      ...SETTINGS,
      otherPolicies: { containment: "report", audit: "report" },
    } as const;

    expect(outline(planOf({ mode: "audit" }))).not.toContain("patch");
    expect(outline(planOf({ settings: report }))).not.toContain("patch");
  });

  test("warns of a policy that a tool will put back", () => {
    const { metadata } = allowing;
    const kept = {
      ...allowing,
      metadata: { ...metadata, annotations: { "meta.helm.sh/release-name": "shop" } },
    };

    expect(notes(planOf({ policies: networkPolicies(kept) }), "gitOps")).toEqual([
      expect.stringContaining("Helm"),
    ]);
  });
});
