import { describe, expect, test } from "vitest";
import type { DaemonSet } from "../kubernetes.ts";
import type { PolicyKind } from "../policies.ts";
import { type NetworkObservation, networkFacts } from "./network.ts";

const AWS_KINDS: PolicyKind[] = ["NetworkPolicy", "PolicyEndpoint"];

function daemonSet(name: string, args: string[] = [], mode?: string): DaemonSet {
  const env = mode === undefined ? [] : [{ name: "NETWORK_POLICY_ENFORCING_MODE", value: mode }];
  const containers = [
    { name: "main", env },
    { name: "agent", args },
  ];
  return {
    metadata: { name },
    spec: { template: { spec: { containers } } },
    status: { numberReady: 2 },
  };
}

function facts(observed: Partial<NetworkObservation>) {
  return networkFacts({
    policyKinds: ["NetworkPolicy"],
    daemonSets: [],
    vpcCniConfig: null,
    ciliumConfig: { metadata: { name: "cilium-config" }, data: {} },
    ipFamily: "ipv4",
    unread: [],
    ...observed,
  });
}

const awsNode = (value: string) => daemonSet("aws-node", [`--enable-network-policy=${value}`]);
const config = (value: string) => ({
  metadata: { name: "amazon-vpc-cni" },
  data: { "enable-network-policy-controller": value },
});

describe("the AWS VPC CNI", () => {
  test("enforces with its agent's flag on, its controller on and PolicyEndpoints served", () => {
    const daemonSets = [awsNode("true")];

    expect(
      facts({ daemonSets, policyKinds: AWS_KINDS, vpcCniConfig: config("true") }),
    ).toMatchObject({ cni: "vpc", enforcing: "on", mode: "standard" });
  });

  test.each([
    ["its agent's flag is off", { daemonSets: [awsNode("false")], policyKinds: AWS_KINDS }],
    ["its agent has no flag", { daemonSets: [daemonSet("aws-node")], policyKinds: AWS_KINDS }],
    [
      "its controller is switched off",
      { daemonSets: [awsNode("true")], policyKinds: AWS_KINDS, vpcCniConfig: config("false") },
    ],
    [
      "Auto Mode's controller is switched off",
      { policyKinds: AWS_KINDS, vpcCniConfig: config("false") },
    ],
  ])("does not enforce when %s", (_, observed) => {
    expect(facts(observed)).toMatchObject({ cni: "vpc", enforcing: "off" });
  });

  test.each([
    ["there is nothing to resolve to", { vpcCniConfig: config("true") }],
    ["nothing says that the controller is on", { policyKinds: AWS_KINDS }],
  ])("is not believed while %s", (_, observed) => {
    expect(facts({ daemonSets: [awsNode("true")], ...observed }).enforcing).toBe("unknown");
  });

  test("of Auto Mode is seen by the controller's ConfigMap", () => {
    expect(facts({ policyKinds: AWS_KINDS, vpcCniConfig: config("true") })).toMatchObject({
      cni: "vpc",
      enforcing: "on",
      mode: "unknown",
    });
  });

  test.each([
    ["strict", "strict"],
    ["something-new", "unknown"],
  ])("in mode %s is %s", (value, mode) => {
    const daemonSets = [daemonSet("aws-node", ["--enable-network-policy"], value)];

    expect(
      facts({ daemonSets, policyKinds: AWS_KINDS, vpcCniConfig: config("true") }),
    ).toMatchObject({ enforcing: "on", mode });
  });
});

test.each([
  ["cilium", "cilium", "CiliumNetworkPolicy"],
  ["calico", "calico-node", "CalicoGlobalNetworkPolicy"],
] as const)(
  "%s is found beside the VPC CNI, which then only gives addresses",
  (cni, name, kind) => {
    const daemonSets = [awsNode("false"), daemonSet(name)];

    expect(facts({ daemonSets, policyKinds: ["NetworkPolicy", kind] })).toMatchObject({
      cni,
      enforcing: "on",
    });
    expect(facts({ daemonSets, policyKinds: AWS_KINDS })).toMatchObject({ cni: "vpc" });
  },
);

test("what could not be read makes the CNI unknown, whatever else was seen", () => {
  const unread = ["GET daemonsets: 403"];

  expect(facts({ daemonSets: [awsNode("true")], policyKinds: AWS_KINDS, unread })).toMatchObject({
    cni: null,
    enforcing: "unknown",
    seen: unread,
  });
});

test("an unknown CNI stays unknown, and what was seen is told", () => {
  expect(facts({ daemonSets: [daemonSet("weave-net")] })).toMatchObject({
    cni: null,
    enforcing: "unknown",
    seen: [expect.any(String), expect.stringContaining("weave-net")],
  });
});

describe("an agent", () => {
  const policyKinds: PolicyKind[] = ["NetworkPolicy", "CiliumNetworkPolicy"];
  const cilium = daemonSet("cilium");
  const ciliumWith = (data: Record<string, string>) => ({
    policyKinds,
    daemonSets: [cilium],
    ciliumConfig: { metadata: { name: "cilium-config" }, data },
  });

  test("of some nodes only is not the cluster's", () => {
    const affinity = {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            {
              matchExpressions: [
                { key: "eks.amazonaws.com/compute-type", operator: "In", values: ["hybrid"] },
              ],
            },
          ],
        },
      },
    };
    const { spec } = cilium.spec.template;
    const hybrid = { ...cilium, spec: { template: { spec: { ...spec, affinity } } } };

    expect(facts({ policyKinds, daemonSets: [awsNode("false"), hybrid] })).toMatchObject({
      cni: "vpc",
      enforcing: "off",
    });
  });

  test("of which none is ready is not believed", () => {
    const down = { ...cilium, status: { numberReady: 0 } };

    expect(facts({ policyKinds, daemonSets: [down] }).enforcing).toBe("unknown");
  });

  test("beside another that enforces too is not chosen", () => {
    const both: PolicyKind[] = [...policyKinds, "CalicoGlobalNetworkPolicy"];

    expect(facts({ policyKinds: both, daemonSets: [cilium, daemonSet("calico-node")] }).cni).toBe(
      null,
    );
  });

  test.each([
    ["never enforces", { "enable-policy": "never" }, "off"],
    ["only reports", { "policy-audit-mode": "true" }, "off"],
    ["selects by some labels only", { labels: "k8s:app" }, "unknown"],
  ])("that %s is not believed", (_, data, enforcing) => {
    expect(facts(ciliumWith(data))).toMatchObject({ cni: "cilium", enforcing });
  });

  test("whose mode comes from somewhere else has an unknown mode", () => {
    const env = [{ name: "NETWORK_POLICY_ENFORCING_MODE" }];
    const containers = [{ name: "main", env, args: ["--enable-network-policy=true"] }];
    const daemonSets = [{ ...awsNode("true"), spec: { template: { spec: { containers } } } }];

    expect(facts({ daemonSets, policyKinds: AWS_KINDS, vpcCniConfig: config("true") }).mode).toBe(
      "unknown",
    );
  });
});
