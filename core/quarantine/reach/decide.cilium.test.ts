import { describe, expect, test } from "vitest";
import { aShop, cilium, lets, netpol } from "../../../test/memory/worlds.ts";
import type { PolicySet } from "../../policies.ts";

const ALL = { podSelector: {} };

describe("Cilium", () => {
  const select = { endpointSelector: {} };
  const cnp = (spec: object) => cilium("shop/c", { ...select, ...spec });
  const label = (app: string, more = {}) => ({ matchLabels: { app, ...more } });

  test.each<[string, unknown[], string, boolean]>([
    ["an empty rule isolates", [cnp({ ingress: [{}] })], "shop/db", false],
    ["an empty section does not", [cnp({ ingress: [] })], "shop/db", true],
    [
      "a deny rule isolates",
      [cnp({ ingressDeny: [{ fromEntities: ["host"] }] })],
      "shop/db",
      false,
    ],
    [
      "enableDefaultDeny false",
      [cnp({ ingress: [{ fromEndpoints: [label("x")] }], enableDefaultDeny: { ingress: false } })],
      "shop/db",
      true,
    ],
    [
      "an endpoint of this namespace",
      [cnp({ ingress: [{ fromEndpoints: [label("db")] }] })],
      "shop/db",
      true,
    ],
    [
      "without a namespace, this one",
      [cnp({ ingress: [{ fromEndpoints: [label("db")] }] })],
      "other/db",
      false,
    ],
    [
      "the namespace by label",
      [
        cnp({
          ingress: [
            { fromEndpoints: [label("db", { "k8s:io.kubernetes.pod.namespace": "other" })] },
          ],
        }),
      ],
      "other/db",
      true,
    ],
    [
      "the prefix k8s:",
      [cnp({ ingress: [{ fromEndpoints: [{ matchLabels: { "k8s:app": "db" } }] }] })],
      "shop/db",
      true,
    ],
    [
      "a clusterwide policy",
      [cilium("c", { ...select, ingress: [{ fromEndpoints: [label("db")] }] })],
      "other/db",
      true,
    ],
    [
      "deny beats allow",
      [
        cnp({
          ingress: [{ fromEntities: ["all"] }],
          ingressDeny: [{ fromEndpoints: [label("db")] }],
        }),
      ],
      "shop/db",
      false,
    ],
    [
      "and leaves the others",
      [
        cnp({
          ingress: [{ fromEntities: ["all"] }],
          ingressDeny: [{ fromEndpoints: [label("db")] }],
        }),
      ],
      "1.2.3.4",
      true,
    ],
    ["entity cluster", [cnp({ ingress: [{ fromEntities: ["cluster"] }] })], "other/db", true],
    [
      "entity world is not for pods",
      [cnp({ ingress: [{ fromEntities: ["world"] }] })],
      "other/db",
      false,
    ],
    ["entity world", [cnp({ ingress: [{ fromEntities: ["world"] }] })], "1.2.3.4", true],
    [
      "entity host may be a pod on the host",
      [cnp({ ingress: [{ fromEntities: ["host"] }] })],
      "other/agent",
      true,
    ],
    [
      "a CIDR is not for pods",
      [cnp({ ingress: [{ fromCIDR: ["10.0.0.0/8"] }] })],
      "shop/db",
      false,
    ],
    [
      "a CIDR",
      [cnp({ ingress: [{ fromCIDRSet: [{ cidr: "10.0.0.0/8", except: ["10.9.0.0/16"] }] }] })],
      "10.1.1.1",
      true,
    ],
    [
      "an except",
      [cnp({ ingress: [{ fromCIDRSet: [{ cidr: "10.0.0.0/8", except: ["10.9.0.0/16"] }] }] })],
      "10.9.1.1",
      false,
    ],
    [
      "ports alone",
      [cnp({ ingress: [{ toPorts: [{ ports: [{ port: "8080", protocol: "ANY" }] }] }] })],
      "shop/db",
      true,
    ],
    [
      "another port",
      [cnp({ ingress: [{ toPorts: [{ ports: [{ port: "81", protocol: "TCP" }] }] }] })],
      "shop/db",
      false,
    ],
    [
      "a range",
      [cnp({ ingress: [{ toPorts: [{ ports: [{ port: "8000", endPort: 9000 }] }] }] })],
      "shop/db",
      true,
    ],
    [
      "a name",
      [cnp({ ingress: [{ toPorts: [{ ports: [{ port: "http", protocol: "TCP" }] }] }] })],
      "shop/db",
      true,
    ],
    ["ICMP alone", [cnp({ ingress: [{ icmps: [{ fields: [{ type: 8 }] }] }] })], "shop/db", false],
    [
      "fromRequires",
      [cnp({ ingress: [{ fromEndpoints: [{}], fromRequires: [label("x")] }] })],
      "shop/db",
      false,
    ],
    ["an unknown entity opens", [cnp({ ingress: [{ fromEntities: ["moon"] }] })], "shop/db", true],
    [
      "an unknown field of a deny denies nothing",
      [cnp({ ingress: [{ fromEntities: ["all"] }], ingressDeny: [{ fromMoon: [] }] })],
      "shop/db",
      true,
    ],
  ])("%s", (_, policies, peer, expected) => {
    const ciliumNetworkPolicies = policies as PolicySet["ciliumNetworkPolicies"];

    expect(lets(aShop({ ciliumNetworkPolicies }, "cilium"), peer)).toBe(expected);
  });

  test("what NetworkPolicies allow adds up, and a deny beats that too", () => {
    const networkPolicies = [netpol("shop/p", { ...ALL, ingress: [{}] })];
    const deny = cnp({ ingressDeny: [{ fromEndpoints: [label("db")] }] });

    expect(
      lets(
        aShop({ networkPolicies, ciliumNetworkPolicies: [cnp({ ingress: [{}] })] }, "cilium"),
        "shop/db",
      ),
    ).toBe(true);
    expect(
      lets(aShop({ networkPolicies, ciliumNetworkPolicies: [deny] }, "cilium"), "shop/db"),
    ).toBe(false);
  });
});

test("only the kinds of the CNI that enforces count", () => {
  const policies = {
    ciliumNetworkPolicies: [cilium("c", { endpointSelector: {}, ingress: [{}] })],
  };

  expect(lets(aShop(policies, "vpc"), "shop/db")).toBe(true);
  expect(lets(aShop(policies, "cilium"), "shop/db")).toBe(false);
  expect(lets(aShop(policies), "shop/db")).toBe(false);
});
