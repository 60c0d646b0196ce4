import { describe, expect, test } from "vitest";
import {
  aShop,
  aWorld,
  aWorldPod,
  clusterPolicy,
  lets,
  netpol,
  OTHER_DB,
} from "../../../test/memory/worlds.ts";
import type { PolicySet } from "../../policies.ts";
import { decide, type FlowEnd } from "./decide.ts";
import type { Cni } from "./model.ts";

const ALL = { podSelector: {} };

describe("ClusterNetworkPolicy", () => {
  const ANYONE = [{ namespaces: {} }];
  const cnp = (name: string, changes: object) =>
    clusterPolicy(name, { tier: "Admin", priority: 10, subject: { namespaces: {} }, ...changes });
  const one = (action: string, more: object = {}) => ({
    ingress: [{ action, from: ANYONE, ...more }],
  });
  const isolated = netpol("shop/p", ALL);
  const open = netpol("shop/p", { ...ALL, ingress: [{}] });

  test.each<[string, Partial<PolicySet>, string, boolean]>([
    [
      "Admin Deny beats an allow",
      { clusterNetworkPolicies: [cnp("a", one("Deny"))], networkPolicies: [open] },
      "shop/db",
      false,
    ],
    [
      "its ingress never covers what is no pod",
      { clusterNetworkPolicies: [cnp("a", one("Deny"))], networkPolicies: [open] },
      "1.2.3.4",
      true,
    ],
    [
      "Admin Accept beats isolation",
      { clusterNetworkPolicies: [cnp("a", one("Accept"))], networkPolicies: [isolated] },
      "shop/db",
      true,
    ],
    [
      "Admin Pass leaves it to NetworkPolicies",
      {
        clusterNetworkPolicies: [cnp("a", one("Pass")), cnp("b", { priority: 20, ...one("Deny") })],
        networkPolicies: [open],
      },
      "shop/db",
      true,
    ],
    [
      "lower priority first",
      {
        clusterNetworkPolicies: [
          cnp("a", one("Deny")),
          cnp("b", { priority: 2, ...one("Accept") }),
        ],
      },
      "shop/db",
      true,
    ],
    [
      "first rule first",
      {
        clusterNetworkPolicies: [
          cnp("a", { ingress: [...one("Deny").ingress, ...one("Accept").ingress] }),
        ],
      },
      "shop/db",
      false,
    ],
    [
      "Baseline where nothing isolates",
      { clusterNetworkPolicies: [cnp("a", { tier: "Baseline", ...one("Deny") })] },
      "shop/db",
      false,
    ],
    [
      "Baseline not where something isolates",
      {
        clusterNetworkPolicies: [cnp("a", { tier: "Baseline", ...one("Accept") })],
        networkPolicies: [isolated],
      },
      "shop/db",
      false,
    ],
    [
      "another subject",
      {
        clusterNetworkPolicies: [
          cnp("a", { subject: { namespaces: { matchLabels: { team: "b" } } }, ...one("Deny") }),
        ],
      },
      "shop/db",
      true,
    ],
    [
      "pods as peers",
      {
        clusterNetworkPolicies: [
          cnp("a", {
            ingress: [
              {
                action: "Deny",
                from: [
                  { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: "db" } } } },
                ],
              },
            ],
          }),
        ],
      },
      "other/db",
      false,
    ],
    [
      "other ports",
      {
        clusterNetworkPolicies: [
          cnp("a", one("Deny", { ports: [{ portNumber: { protocol: "TCP", port: 81 } }] })),
        ],
      },
      "shop/db",
      true,
    ],
    [
      "a range of ports",
      {
        clusterNetworkPolicies: [
          cnp("a", one("Deny", { ports: [{ portRange: { start: 8000, end: 8080 } }] })),
        ],
      },
      "shop/db",
      false,
    ],
    [
      "a named port",
      { clusterNetworkPolicies: [cnp("a", one("Deny", { ports: [{ namedPort: "http" }] }))] },
      "shop/db",
      false,
    ],
    [
      "two at one priority: any order",
      { clusterNetworkPolicies: [cnp("a", one("Deny")), cnp("b", one("Accept"))] },
      "shop/db",
      true,
    ],
    [
      "an unknown action denies nothing",
      { clusterNetworkPolicies: [cnp("a", one("Drop"))] },
      "shop/db",
      true,
    ],
    [
      "an unknown tier denies nothing",
      { clusterNetworkPolicies: [cnp("a", { tier: "Top", ...one("Deny") })] },
      "shop/db",
      true,
    ],
    [
      "an unknown field of a deny denies nothing",
      { clusterNetworkPolicies: [cnp("a", one("Deny", { when: "night" }))] },
      "shop/db",
      true,
    ],
  ])("%s", (_, policies, peer, expected) => {
    expect(lets(aShop(policies, "vpc"), peer)).toBe(expected);
  });

  test("networks and domain names of egress", () => {
    const egress = [
      { action: "Deny", to: [{ networks: ["10.0.0.0/8"] }] },
      { action: "Accept", to: [{ domainNames: ["example.com"] }] },
    ];
    const world = aShop({ clusterNetworkPolicies: [cnp("a", { egress })] }, "vpc");
    const out = (to: FlowEnd) =>
      decide(world, { from: { pod: "shop/web" }, to, protocol: "TCP", port: 1 }).egress.allowed;

    expect(out({ ip: "10.1.1.1" })).toBe(false);
    expect(out({ pod: "other/db" })).toBe(false);
    expect(out({ ip: "8.8.8.8" })).toBe(true);
  });

  test("pods of one identifier on one node share isolation and openings", () => {
    const sibling = (name: string, app: string, node: string) =>
      aWorldPod(`shop/${name}`, { app }, { node });
    const pods = [
      sibling("db-0", "a", "n1"),
      sibling("db-1", "b", "n1"),
      sibling("db-2", "c", "n2"),
      OTHER_DB,
    ];
    const select = (app: string, more = {}) => ({ podSelector: { matchLabels: { app } }, ...more });
    const into = (pod: string, specs: unknown[], cni: Cni) =>
      decide(
        aWorld(
          pods,
          { networkPolicies: specs.map((spec, at) => netpol(`shop/p${at}`, spec)) },
          cni,
        ),
        { from: { pod: "other/db" }, to: { pod }, protocol: "TCP", port: 1 },
      ).allowed;

    expect(into("shop/db-1", [select("a")], "vpc")).toBe(false);
    expect(into("shop/db-1", [select("a")], "calico")).toBe(true);
    expect(into("shop/db-2", [select("a")], "vpc")).toBe(true);
    expect(into("shop/db-0", [select("a"), select("b", { ingress: [{}] })], "vpc")).toBe(true);
    expect(into("shop/db-0", [select("a"), select("c", { ingress: [{}] })], "vpc")).toBe(false);
  });

  test("a pod whose node is not known shares with those of every node", () => {
    const pods = [
      aWorldPod("shop/db-0", { app: "a" }, { node: "n1" }),
      aWorldPod("shop/db-1", { app: "b" }),
      OTHER_DB,
    ];
    const isolated = (pod: string, app: string) => {
      const policy = netpol("shop/p", { podSelector: { matchLabels: { app } } });
      const flow = { from: { pod: "other/db" }, to: { pod }, protocol: "TCP", port: 1 } as const;
      return !decide(aWorld(pods, { networkPolicies: [policy] }, "vpc"), flow).allowed;
    };

    expect(isolated("shop/db-0", "b")).toBe(true);
    expect(isolated("shop/db-1", "a")).toBe(true);
    expect(isolated("shop/db-1", "c")).toBe(false);
  });
});
