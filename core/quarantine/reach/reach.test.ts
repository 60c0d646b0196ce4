import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SOME_IPS, SOME_PORTS, someWorld } from "../../../test/memory/random-worlds.ts";
import { aWorld, aWorldPod, calico, clusterPolicy, netpol } from "../../../test/memory/worlds.ts";
import { decide, type FlowEnd } from "./decide.ts";
import { contains, parseAddress, parseBlock } from "./ip.ts";
import { describePolicy, type World } from "./model.ts";
import type { Protocol } from "./ports.ts";
import { reach } from "./reach.ts";
import type { Row } from "./rows.ts";

const TARGET = "a/x-0";

function passes({ port, protocol }: Row, wanted: Protocol, number: number): boolean {
  if (protocol !== "any" && protocol !== wanted) return false;
  if (port === "any") return true;
  const [low = 0, high = low] = String(port).split("-").map(Number);
  return low <= number && number <= high;
}

/** Whether the row is about this end: a pod by name, an address by its block. */
function concerns(peer: string, { except = [] }: Row, end: FlowEnd): boolean {
  if ("pod" in end) return peer === end.pod;
  const inside = (text: string) => {
    const block = parseBlock(text);
    const address = parseAddress(end.ip);
    return block !== null && address !== null && contains(block, address);
  };
  return inside(peer) && !except.some(inside);
}

const ends = (world: World): FlowEnd[] => [
  ...world.pods
    .map(({ namespace, name }) => ({ pod: `${namespace}/${name}` }))
    .filter(({ pod }) => pod !== TARGET),
  ...SOME_IPS.map((ip) => ({ ip })),
];

test("reach agrees with decide for every peer at every border of ports", () => {
  fc.assert(
    fc.property(someWorld, (world) => {
      const { ingress, egress } = reach(world, TARGET);
      const ciliumText = JSON.stringify(world.policies.ciliumNetworkPolicies);
      const nodesNamed = /"(host|remote-node|cluster)"/.test(ciliumText);
      const wrong: unknown[] = [];
      for (const end of ends(world)) {
        // Cilium names nodes: to decide, an address may be a node's; reach has rows of the names.
        const mayBeNode = "ip" in end && nodesNamed;
        const rowsOfEnd = {
          in: ingress.filter((row) => concerns(row.from, row, end)),
          out: egress.filter((row) => concerns(row.to, row, end)),
        };
        for (const protocol of ["TCP", "UDP", "SCTP"] as const) {
          for (const port of SOME_PORTS) {
            const target = { pod: TARGET };
            const into = decide(world, { from: end, to: target, protocol, port });
            const outOf = decide(world, { from: target, to: end, protocol, port });
            const rowsIn = rowsOfEnd.in.filter((row) => passes(row, protocol, port));
            const rowsOut = rowsOfEnd.out.filter((row) => passes(row, protocol, port));
            const holds = (rows: readonly unknown[], allowed: boolean) =>
              mayBeNode ? rows.length === 0 || allowed : rows.length > 0 === allowed;
            if (!holds(rowsIn, into.allowed)) wrong.push({ into, end, protocol, port, rowsIn });
            if (!holds(rowsOut, outOf.allowed)) wrong.push({ outOf, end, protocol, port, rowsOut });
            // Of several CNIs one may allow only this end.
            if (into.allowed && !mayBeNode && world.cni !== null) {
              const by = rowsIn.flatMap(({ allowedBy }) => allowedBy);
              const unnamed = into.ingress.by.map(describePolicy).filter((n) => !by.includes(n));
              if (unnamed.length > 0) wrong.push({ end, protocol, port, unnamed });
            }
          }
        }
      }
      expect(wrong).toEqual([]);
    }),
    { numRuns: 250 },
  );
});

test("the order of policies and of pods never matters", () => {
  fc.assert(
    fc.property(someWorld, (world) => {
      const { policies } = world;
      const reversed = aWorld(
        world.pods,
        {
          networkPolicies: policies.networkPolicies.toReversed(),
          clusterNetworkPolicies: policies.clusterNetworkPolicies.toReversed(),
          ciliumNetworkPolicies: policies.ciliumNetworkPolicies.toReversed(),
          calicoPolicies: policies.calicoPolicies.toReversed(),
        },
        world.cni,
        world.namespaces,
      );

      expect({ ...reach(reversed, TARGET), unreadable: [] }).toEqual({
        ...reach(world, TARGET),
        unreadable: [],
      });
    }),
  );
});

test("what no policy asks about a pod never matters, and asking about it changes no other pod", () => {
  fc.assert(
    fc.property(someWorld, (world) => {
      const pods = world.pods.map((pod) => ({ ...pod, labels: { ...pod.labels, own: pod.name } }));
      // It selects nothing, and now every pod is of a class of its own.
      const asking = netpol("c/p", { podSelector: { matchLabels: { own: "nobody" } } });
      const networkPolicies = [...world.policies.networkPolicies, asking];
      const asked = { ...world, pods, policies: { ...world.policies, networkPolicies } };

      expect(reach({ ...world, pods }, TARGET)).toEqual(reach(world, TARGET));
      expect(reach(asked, TARGET)).toEqual(reach(world, TARGET));
    }),
  );
});

test("what the Admin tier denies, no NetworkPolicy allows", () => {
  fc.assert(
    fc.property(someWorld, (drawn) => {
      const deny = clusterPolicy("deny", {
        tier: "Admin",
        priority: 0,
        subject: { namespaces: {} },
        ingress: [{ action: "Deny", from: [{ namespaces: {} }] }],
        egress: [{ action: "Deny", to: [{ namespaces: {} }, { networks: ["0.0.0.0/0", "::/0"] }] }],
      });
      const allow = netpol("a/allow", { podSelector: {}, ingress: [{}], egress: [{}] });
      const world = aWorld(
        drawn.pods,
        {
          networkPolicies: [...drawn.policies.networkPolicies, allow],
          clusterNetworkPolicies: [...drawn.policies.clusterNetworkPolicies, deny],
        },
        "vpc",
        drawn.namespaces,
      );

      const { ingress, egress } = reach(world, TARGET);

      expect(egress).toEqual([]);
      // Sources that are no pods are the one thing that its ingress cannot deny.
      expect(ingress.filter(({ from }) => /^[ab]\//.test(from) && from !== "b/host")).toEqual([]);
    }),
  );
});

test("without an allow rule nothing more is reached than with it", () => {
  fc.assert(
    fc.property(someWorld, fc.nat(), (world, nat) => {
      const { networkPolicies } = world.policies;
      const at = nat % Math.max(1, networkPolicies.length);
      const less = networkPolicies.map((policy, index) =>
        index === at && policy.spec
          ? {
              ...policy,
              spec: {
                ...policy.spec,
                policyTypes: ["Ingress", "Egress"],
                ingress: (policy.spec.ingress ?? []).slice(1),
              },
            }
          : { ...policy, spec: { ...policy.spec, policyTypes: ["Ingress", "Egress"] } },
      );
      const same = networkPolicies.map((policy) => ({
        ...policy,
        spec: { ...policy.spec, policyTypes: ["Ingress", "Egress"] },
      }));
      const more = aWorld(world.pods, { networkPolicies: same }, null, world.namespaces);
      const fewer = aWorld(world.pods, { networkPolicies: less }, null, world.namespaces);
      for (const end of ends(world)) {
        const flow = { from: end, to: { pod: TARGET }, protocol: "TCP", port: 80 } as const;
        if (decide(fewer, flow).allowed) expect(decide(more, flow).allowed).toBe(true);
      }
    }),
  );
});

describe("rows", () => {
  const pods = [
    aWorldPod("shop/web", { app: "web" }, { ports: [{ name: "http", containerPort: 8080 }] }),
    aWorldPod("shop/db", { app: "db" }),
  ];
  const on = (app: string, spec: object) => ({ podSelector: { matchLabels: { app } }, ...spec });

  test("where nothing isolates, everybody on every port", () => {
    const any = { port: "any", protocol: "any", allowedBy: [] };

    expect(reach(aWorld(pods, {}), "shop/web")).toEqual({
      ingress: ["shop/db", "0.0.0.0/0", "::/0"].map((from) => ({ from, ...any })),
      egress: ["shop/db", "0.0.0.0/0", "::/0"].map((to) => ({ to, ...any })),
      isolated: { ingress: false, egress: false },
      unreadable: [],
    });
  });

  test("both ends' ranges of ports are intersected exactly, and both ends' policies named", () => {
    const networkPolicies = [
      netpol(
        "shop/in",
        on("web", { ingress: [{ ports: [{ port: 80, endPort: 100 }, { port: "http" }] }] }),
      ),
      netpol(
        "shop/out",
        on("db", { policyTypes: ["Egress"], egress: [{ ports: [{ port: 90, endPort: 200 }] }] }),
      ),
    ];

    expect(reach(aWorld(pods, { networkPolicies }), "shop/web").ingress).toEqual([
      { from: "shop/db", port: "90-100", protocol: "TCP", allowedBy: ["shop/in", "shop/out"] },
      { from: "0.0.0.0/0", port: "80-100", protocol: "TCP", allowedBy: ["shop/in"] },
      { from: "0.0.0.0/0", port: 8080, protocol: "TCP", allowedBy: ["shop/in"] },
      { from: "::/0", port: "80-100", protocol: "TCP", allowedBy: ["shop/in"] },
      { from: "::/0", port: 8080, protocol: "TCP", allowedBy: ["shop/in"] },
    ]);
  });

  test("a block is one row, with what it does not hold for", () => {
    const networkPolicies = [
      netpol(
        "shop/in",
        on("web", {
          ingress: [{ from: [{ ipBlock: { cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] } }] }],
        }),
      ),
    ];

    expect(reach(aWorld([...pods.slice(0, 1)], { networkPolicies }), "shop/web").ingress).toEqual([
      {
        from: "10.0.0.0/8",
        except: ["10.1.0.0/16"],
        port: "any",
        protocol: "any",
        allowedBy: ["shop/in"],
      },
    ]);
  });

  test("what a rule asks of the address of its own pod is asked of each", () => {
    const twins = ["10.0.0.1", "11.0.0.1"].map((ip, at) =>
      aWorldPod(`shop/db-${at}`, { app: "db" }, { ips: [ip] }),
    );
    const ingress = [{ action: "Allow", destination: { nets: ["10.0.0.0/8"] } }];
    const calicoPolicies = [calico("in", { selector: "app == 'db'", ingress })];
    const world = aWorld([...pods.slice(0, 1), ...twins], { calicoPolicies }, "calico");

    const reached = reach(world, "shop/web").egress.map(({ to }) => to);

    expect(reached).toEqual(["shop/db-0", "0.0.0.0/0", "::/0"]);
  });

  test("domain names are rows of their own", () => {
    const applicationNetworkPolicies = [
      netpol(
        "shop/out",
        on("web", { egress: [{ to: [{ domainNames: ["example.com"] }], ports: [{ port: 443 }] }] }),
      ),
    ];

    expect(reach(aWorld(pods, { applicationNetworkPolicies }), "shop/web").egress).toEqual([
      {
        to: "example.com",
        port: 443,
        protocol: "TCP",
        allowedBy: ["ApplicationNetworkPolicy shop/out"],
      },
    ]);
  });
});
