import { AppsV1Api, CustomObjectsApi } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Plan } from "../../../core/quarantine/plan.ts";
import { REASONS, type ReasonCode } from "../../../core/quarantine/reasons.ts";
import { type CniProfile, installCni } from "../../../local/cni/cni.ts";
import { applyManifests } from "../../../local/manifests.ts";
import { core, kubeconfig, networking } from "../harness.ts";
import {
  type As,
  aBarePod,
  aDeployment,
  aNetworkPolicy,
  asResponder,
  openNamespace,
  quarantine,
  runningPods,
  template,
} from "../quarantine.ts";

const apps = kubeconfig.makeApiClient(AppsV1Api);
const custom = kubeconfig.makeApiClient(CustomObjectsApi);

let as: As;
/** Every code that some test of this file has shown. */
const shown = new Set<ReasonCode>();

beforeAll(async () => {
  as = await asResponder();
});

afterAll(async () => {
  await installCni(kubeconfig, "vpc"); // what the other files expect
}, 120_000);

function under(profile: CniProfile) {
  beforeAll(() => installCni(kubeconfig, profile), 120_000);
}

async function judge(
  ...args: Parameters<typeof quarantine> extends [unknown, ...infer R] ? R : never
) {
  const judged = await quarantine(as, ...args);
  for (const { code } of judged.reasons) shown.add(code);
  return judged;
}

/** A namespace with one bare pod, whose name no other pod shares. */
async function lonelyPod(name: string, spec = {}) {
  const namespace = await openNamespace(name, (at) => [aBarePod(at, "lonely", spec)]);
  await runningPods(namespace, "lonely");
  return { namespace, pod: "lonely" };
}

const policyOf = ({ caseId }: Plan) => `quarantine-${caseId}`;
const ALLOW_ALL = {
  podSelector: {},
  ingress: [{}],
  egress: [{}],
  policyTypes: ["Ingress", "Egress"],
};

describe("on the AWS VPC CNI with ClusterNetworkPolicy", () => {
  under("vpc");

  test("a pod alone under its name is contained", async () => {
    expect(await judge(await lonelyPod("alone"))).toMatchObject({
      verdict: "contained",
      reasons: [],
    });
  });

  test.each(["critical", "low"] as const)(
    "a Deployment's pod is contained once its siblings are replaced (severity %s)",
    async (severity) => {
      const namespace = await openNamespace("rollout", (at) => [aDeployment(at, "checkout", 2)]);
      const [pod = ""] = await runningPods(namespace, "checkout", 2);

      const judged = await judge({ namespace, pod }, { severity });

      expect(judged).toMatchObject({ verdict: "contained", reasons: [] });
      const replaced = await runningPods(namespace, "checkout", 2);
      const hash = (name: string) => name.split("-").at(-2);
      expect(replaced.map(hash)).not.toContain(hash(pod));
      const cluster = await custom.getClusterCustomObject({
        group: "networking.k8s.aws",
        version: "v1alpha1",
        plural: "clusternetworkpolicies",
        name: policyOf(judged.plan),
      });
      expect(cluster).toMatchObject({ spec: { tier: "Admin", priority: 0 } });
    },
  );

  test("a StatefulSet's pod is cut off together with its siblings, by name", async () => {
    const namespace = await openNamespace("stateful", (at) => [
      {
        apiVersion: "apps/v1",
        kind: "StatefulSet",
        metadata: { name: "db", namespace: at },
        spec: {
          replicas: 2,
          serviceName: "db",
          selector: { matchLabels: { app: "db" } },
          template: template({ app: "db" }),
        },
      },
      aBarePod(at, "db-other"),
    ]);
    await runningPods(namespace, "db", 2);
    await runningPods(namespace, "db-other");

    const { reasons, codes } = await judge({ namespace, pod: "db-0" });

    expect(codes).toContain("sharedIdentifierCut");
    expect(reasons.find(({ code }) => code === "sharedIdentifierCut")?.message).toMatch(
      /db-1.*db-other|db-other.*db-1/,
    );
  });

  test("a DaemonSet's pod stays open through the replacement that an allow policy selects", async () => {
    const namespace = await openNamespace("daemon", (at) => [
      {
        apiVersion: "apps/v1",
        kind: "DaemonSet",
        metadata: { name: "agent", namespace: at },
        spec: { selector: { matchLabels: { app: "agent" } }, template: template({ app: "agent" }) },
      },
      aNetworkPolicy(at, "allow-agent", {
        ...ALLOW_ALL,
        podSelector: { matchLabels: { app: "agent" } },
      }),
    ]);
    const { items } = await core.listNode();
    const [pod = ""] = await runningPods(namespace, "agent", items.length);

    const { codes, plan } = await judge({ namespace, pod });

    expect(codes).toEqual(
      expect.arrayContaining(["sharedIdentifierOpen", "establishedFlowsMaySurvive"]),
    );
    expect(plan.notes.find(({ code }) => code === "replacement")?.message).toContain("same node");
  });

  test("a Deployment's pod under an allow policy is closed, and what could open it again is said", async () => {
    const namespace = await openNamespace("allowed", (at) => [
      aNetworkPolicy(at, "allow-web", {
        ...ALLOW_ALL,
        podSelector: { matchLabels: { app: "web" } },
      }),
      aDeployment(at, "web", 2),
    ]);
    const [pod = ""] = await runningPods(namespace, "web", 2);

    const { verdict, reasons } = await judge({ namespace, pod });

    expect(verdict).toBe("partial");
    expect(reasons.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/^closed only until then: the agent on node .* aws-node .*allow-web/),
    );
  });

  test("a rollout that never ends is given up, and said", async () => {
    const namespace = await openNamespace("stuck", (at) => [aDeployment(at, "stuck", 2)]);
    const [pod = "", sibling = ""] = await runningPods(namespace, "stuck", 2);
    const hold = (finalizers: string[]) =>
      core.patchNamespacedPod({
        namespace,
        name: sibling,
        body: [{ op: "add", path: "/metadata/finalizers", value: finalizers }],
      });
    await hold(["example.com/hold"]);

    const { codes } = await judge({ namespace, pod }, { impatient: true });
    await hold([]);

    expect(codes).toContain("phaseIncomplete");
  });

  test.each([
    [
      "without its label",
      "labelMissing",
      async (namespace: string, _: Plan) => {
        await core.patchNamespacedPod({
          namespace,
          name: "lonely",
          body: [{ op: "add", path: "/metadata/labels", value: { app: "lonely" } }],
        });
      },
    ],
    [
      "without its policy",
      "policyMissing",
      async (namespace: string, plan: Plan) => {
        await networking.deleteNamespacedNetworkPolicy({ namespace, name: policyOf(plan) });
      },
    ],
    [
      "with a changed policy",
      "policyChanged",
      async (namespace: string, plan: Plan) => {
        await networking.patchNamespacedNetworkPolicy({
          namespace,
          name: policyOf(plan),
          body: [{ op: "replace", path: "/spec/policyTypes", value: ["Ingress"] }],
        });
      },
    ],
    [
      "deleted by somebody",
      "podGone",
      async (namespace: string, _: Plan) => {
        await core.deleteNamespacedPod({ namespace, name: "lonely" });
      },
    ],
    [
      "allowed by a policy that came later",
      "otherPolicyAllows",
      async (namespace: string, _: Plan) => {
        await applyManifests(kubeconfig, [aNetworkPolicy(namespace, "later", ALLOW_ALL)]);
      },
    ],
  ] as const)("a pod %s is not contained", async (_, code, change) => {
    const target = await lonelyPod("changed");

    const { verdict, codes } = await judge(target, {
      meanwhile: (plan) => change(target.namespace, plan),
    });

    expect(verdict).toBe("partial");
    expect(codes).toContain(code);
  });

  test.each([
    ["on the host's network", "hostNetwork", { hostNetwork: true }],
    ["on Fargate", "fargate", { nodeName: "fargate-ip-10-0-9-9" }],
    [
      "on Windows",
      "windows",
      { nodeSelector: { "kubernetes.io/os": "windows" }, nodeName: "fargate-ip-10-0-9-9" },
    ],
  ] as const)("a pod %s is not enforceable", async (_, code, spec) => {
    const namespace = await openNamespace("elsewhere", (at) => [aBarePod(at, "lonely", spec)]);

    const { verdict, codes } = await judge({ namespace, pod: "lonely" });

    expect(verdict).toBe("notEnforceable");
    expect(codes).toContain(code);
  });

  test("a pod with interfaces of other networks is not contained", async () => {
    const namespace = await openNamespace("multus", (at) => {
      const pod = aBarePod(at, "lonely");
      const annotations = { "k8s.v1.cni.cncf.io/networks": "storage" };
      return [{ ...pod, metadata: { ...pod.metadata, annotations } }];
    });
    await runningPods(namespace, "lonely");

    expect((await judge({ namespace, pod: "lonely" })).codes).toEqual(["otherNetworks"]);
  });

  test("a mode that nobody has tested is said", async () => {
    await apps.patchNamespacedDaemonSet({
      namespace: "kube-system",
      name: "aws-node",
      body: [{ op: "replace", path: await modePath(), value: "strict" }],
    });

    expect((await judge(await lonelyPod("strict"))).codes).toEqual(["modeUnproven"]);
  });
});

async function modePath(): Promise<string> {
  const { spec } = await apps.readNamespacedDaemonSet({
    namespace: "kube-system",
    name: "aws-node",
  });
  const containers = spec?.template.spec?.containers ?? [];
  for (const [at, { env = [] }] of containers.entries()) {
    const index = env.findIndex(({ name }) => name === "NETWORK_POLICY_ENFORCING_MODE");
    if (index >= 0) return `/spec/template/spec/containers/${at}/env/${index}/value`;
  }
  throw new Error("aws-node has no NETWORK_POLICY_ENFORCING_MODE");
}

describe("on the AWS VPC CNI without ClusterNetworkPolicy", () => {
  under("vpc-without-cluster-policy");

  test("a pod that a policy selected before may keep its connections", async () => {
    const namespace = await openNamespace("older", (at) => [
      aNetworkPolicy(at, "deny", { podSelector: {}, policyTypes: ["Ingress"] }),
      aDeployment(at, "checkout", 2),
    ]);
    const [pod = ""] = await runningPods(namespace, "checkout", 2);

    expect(await judge({ namespace, pod })).toMatchObject({
      verdict: "partial",
      codes: ["establishedFlowsMaySurvive"],
    });
  });
});

test("a CNI that is switched off contains nothing", async () => {
  await installCni(kubeconfig, "vpc-off");

  expect(await judge(await lonelyPod("off"))).toMatchObject({
    verdict: "notEnforceable",
    codes: ["networkPolicyOff"],
  });
}, 120_000);

describe("on Cilium", () => {
  under("cilium");

  test("a pod under an allow policy is contained: a deny rule beats it", async () => {
    const namespace = await openNamespace("cilium", (at) => [
      aNetworkPolicy(at, "allow", ALLOW_ALL),
      aDeployment(at, "checkout", 2),
    ]);
    const [pod = ""] = await runningPods(namespace, "checkout", 2);

    expect(await judge({ namespace, pod })).toMatchObject({ verdict: "contained", reasons: [] });
  });
});

describe("on Calico", () => {
  under("calico");

  test("a selector that cannot be read counts as allowing", async () => {
    const target = await lonelyPod("calico");
    const policy = {
      apiVersion: "crd.projectcalico.org/v1",
      kind: "GlobalNetworkPolicy",
      metadata: { name: "default.strange" },
      spec: {
        order: -1,
        selector: "app ~ 'lonely'",
        types: ["Ingress"],
        ingress: [{ action: "Allow" }],
      },
    };
    await applyManifests(kubeconfig, [policy]);

    const { codes } = await judge(target);

    expect(codes).toEqual(
      expect.arrayContaining(["establishedFlowsMaySurvive", "policyUnreadable"]),
    );
  });
});

describe("without a CNI that the product knows", () => {
  under("none");

  test("nothing is called contained", async () => {
    expect(await judge(await lonelyPod("unknown"))).toMatchObject({
      verdict: "partial",
      codes: expect.arrayContaining(["cniUnknown"]),
    });
  });
});

/** Codes of brakes and of later looks: brakes.test.ts and core/reverify show them. */
const SHOWN_ELSEWHERE = ["agentGone", "braked", "namespaceGone", "notVerified"];

test("every other reason code was shown on the real API server", () => {
  expect([...shown, ...SHOWN_ELSEWHERE].toSorted()).toEqual(Object.keys(REASONS).toSorted());
});
