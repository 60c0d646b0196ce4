import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SOME_IPS, SOME_PORTS, someWorld } from "../../../test/memory/random-worlds.ts";
import {
  aWorldPod,
  calico,
  cilium,
  clusterPolicy,
  NO_POLICIES,
  netpol,
} from "../../../test/memory/worlds.ts";
import type { PolicySet } from "../../policies.ts";
import { decide } from "./decide.ts";
import type { Cni } from "./model.ts";
import { openingsOf } from "./openings.ts";

const POD = {
  ...aWorldPod("shop/web", { app: "web" }, { ips: ["10.0.0.1"] }),
  namespaceLabels: {},
};
const DENY_ALL = netpol("shop/deny", { podSelector: {}, policyTypes: ["Ingress", "Egress"] });
const ALLOW_WORLD = netpol("shop/allow", {
  podSelector: {},
  ingress: [{ from: [{ ipBlock: { cidr: "0.0.0.0/0" } }], ports: [{ port: 443 }] }],
});
const QUARANTINE = clusterPolicy("quarantine", {
  tier: "Admin",
  priority: 0,
  subject: { namespaces: {} },
  ingress: [{ action: "Deny", from: [{ namespaces: {} }] }],
  egress: [{ action: "Deny", to: [{ networks: ["0.0.0.0/0"] }, { namespaces: {} }] }],
});

function openings(policies: Partial<PolicySet>, cni: Cni | null = null) {
  return openingsOf(POD, { ...NO_POLICIES, ...policies }, cni).openings;
}

describe("what is left open", () => {
  test("everything, where nothing isolates", () => {
    const any = { by: null, peers: "anywhere", ports: "any port" };

    expect(openings({})).toEqual([
      { direction: "ingress", ...any },
      { direction: "egress", ...any },
    ]);
  });

  test("nothing, under a policy that denies all", () => {
    expect(openingsOf(POD, { ...NO_POLICIES, networkPolicies: [DENY_ALL] }, "vpc")).toEqual({
      isolated: { ingress: true, egress: true },
      openings: [],
      unreadable: [],
    });
  });

  test("what another policy allows, with its rule", () => {
    expect(openings({ networkPolicies: [DENY_ALL, ALLOW_WORLD] })).toEqual([
      {
        direction: "ingress",
        by: {
          kind: "NetworkPolicy",
          namespace: "shop",
          name: "allow",
          rule: 0,
          direction: "ingress",
        },
        peers: "0.0.0.0/0",
        ports: "TCP 443",
      },
    ]);
  });

  test("of an allow that a ClusterNetworkPolicy denies to pods, the sources that are no pods", () => {
    const policies = {
      networkPolicies: [DENY_ALL, ALLOW_WORLD],
      clusterNetworkPolicies: [QUARANTINE],
    };

    expect(openings(policies, "vpc")).toMatchObject([
      { by: { name: "allow" }, peers: "0.0.0.0/0 (only sources that are no pods)" },
    ]);
  });

  test("nothing of an allow for pods that a ClusterNetworkPolicy denies", () => {
    const allow = netpol("shop/allow", {
      podSelector: {},
      ingress: [{ from: [{ podSelector: { matchLabels: { app: "db" } } }] }],
      egress: [{}],
    });
    const policies = { networkPolicies: [allow], clusterNetworkPolicies: [QUARANTINE] };

    expect(openings(policies, "vpc")).toEqual([]);
  });

  test("what siblings of the identifier are allowed", () => {
    const sibling = aWorldPod("shop/web-2", { app: "new" });
    const subject = { ...POD, name: "web-1" };
    const allow = netpol("shop/a", { podSelector: { matchLabels: { app: "new" } }, ingress: [{}] });
    const policies = { ...NO_POLICIES, networkPolicies: [DENY_ALL, allow] };

    expect(openingsOf(subject, policies, "vpc").openings).toEqual([]);
    expect(openingsOf(subject, policies, "vpc", [sibling]).openings).toHaveLength(1);
  });

  test.each<[string, Cni, Partial<PolicySet>]>([
    [
      "Cilium's deny of everything",
      "cilium",
      {
        ciliumNetworkPolicies: [
          cilium("q", {
            endpointSelector: {},
            ingressDeny: [{ fromEntities: ["all"] }],
            egressDeny: [{ toEntities: ["all"] }],
          }),
        ],
      },
    ],
    [
      "Calico's first Deny",
      "calico",
      {
        calicoPolicies: [
          calico("q", {
            order: 0,
            selector: "all()",
            types: ["Ingress", "Egress"],
            ingress: [{ action: "Deny" }],
            egress: [{ action: "Deny" }],
          }),
        ],
      },
    ],
  ])("nothing under %s, whatever NetworkPolicies allow", (_, cni, policies) => {
    const allow = netpol("shop/allow", { podSelector: {}, ingress: [{}], egress: [{}] });

    expect(openings({ networkPolicies: [allow, ALLOW_WORLD], ...policies }, cni)).toEqual([]);
  });

  test("what a tier for administrators leaves to the tiers after it", () => {
    const policies = {
      calicoPolicies: [
        calico("no-ssh", {
          tier: "kube-admin",
          selector: "all()",
          types: ["Ingress"],
          ingress: [{ action: "Deny", protocol: "TCP", destination: { ports: [22] } }],
        }),
      ],
    };

    expect(openings(policies, "calico").map(({ direction }) => direction)).toContain("ingress");
  });

  test("what is not understood is an opening, and is said", () => {
    const odd = netpol("shop/odd", { podSelector: {}, ingress: [{ from: [{ moon: {} }] }] });
    const { openings, unreadable } = openingsOf(
      POD,
      { ...NO_POLICIES, networkPolicies: [odd] },
      null,
    );

    expect(openings).toMatchObject([{ by: { name: "odd" } }, { direction: "egress", by: null }]);
    expect(unreadable).toMatchObject([
      { policy: { name: "odd" }, direction: "ingress", rule: 0, why: "a peer with moon" },
    ]);
  });
});

test("when nothing is left open, no flow passes, whoever the peer is", () => {
  let closed = 0;
  fc.assert(
    fc.property(someWorld, fc.boolean(), (drawn, quarantined) => {
      const world = quarantined
        ? { ...drawn, policies: { ...drawn.policies, ...denyingAll(drawn.policies) } }
        : drawn;
      // Of a pod whose address is not known, or has several, a block says only maybe: more is open.
      const pods = world.pods.filter(({ ips }) => ips.length === 1);
      const [subject, sibling] = world.pods;
      if (!subject || !sibling) throw new Error("no pods");
      const namespaceLabels = world.namespaces.a ?? {};
      const found = openingsOf({ ...subject, namespaceLabels }, world.policies, world.cni, [
        sibling,
      ]);
      for (const direction of ["ingress", "egress"] as const) {
        if (found.openings.some((each) => each.direction === direction)) continue;
        closed += 1;
        const peers = [
          ...pods
            .filter((pod) => pod !== subject)
            .map(({ namespace, name }) => ({ pod: `${namespace}/${name}` })),
          ...SOME_IPS.map((ip) => ({ ip })),
        ];
        for (const peer of peers) {
          // A pod that has no address of a family does not speak it.
          if ("ip" in peer && peer.ip.includes(":") && subject.ips.length === 1) continue;
          for (const port of SOME_PORTS) {
            const target = { pod: "a/x-0" };
            const flow =
              direction === "ingress" ? { from: peer, to: target } : { from: target, to: peer };
            const decided = decide(world, { ...flow, protocol: "TCP", port });
            expect([peer, port, decided[direction].allowed]).toEqual([peer, port, false]);
          }
        }
      }
    }),
    { numRuns: 500 },
  );
  expect(closed).toBeGreaterThan(50);
});

function denyingAll(policies: PolicySet): Partial<PolicySet> {
  return {
    networkPolicies: [
      ...policies.networkPolicies,
      netpol("a/deny", { podSelector: {}, policyTypes: ["Ingress", "Egress"] }),
    ],
    clusterNetworkPolicies: [QUARANTINE],
    ciliumNetworkPolicies: [
      ...policies.ciliumNetworkPolicies,
      cilium("q", {
        endpointSelector: {},
        ingressDeny: [{ fromEntities: ["all"] }],
        egressDeny: [{ toEntities: ["all"] }],
      }),
    ],
  };
}
