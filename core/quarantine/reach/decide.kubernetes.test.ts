import { describe, expect, test } from "vitest";
import { aShop, aWorld, HOST_AGENT, lets, netpol, WEB } from "../../../test/memory/worlds.ts";
import { decide, type Flow } from "./decide.ts";
import type { World } from "./model.ts";

const ALL = { podSelector: {} };
const from = (...peers: unknown[]) => ({ ...ALL, ingress: [{ from: peers }] });
const ports = (...list: unknown[]) => ({ ...ALL, ingress: [{ ports: list }] });

describe("NetworkPolicy", () => {
  test.each<[string, unknown, Record<string, boolean>]>([
    ["no rule", ALL, { "shop/db": false, "1.2.3.4": false }],
    ["an empty spec selects all and denies ingress", {}, { "shop/db": false }],
    ["null sections are none", { ...ALL, ingress: null, egress: null }, { "shop/db": false }],
    ["an empty rule", { ...ALL, ingress: [{}] }, { "shop/db": true, "1.2.3.4": true }],
    [
      "null peers and ports",
      { ...ALL, ingress: [{ from: null, ports: null }] },
      { "shop/db": true },
    ],
    ["only Egress", { ...ALL, policyTypes: ["Egress"], ingress: [] }, { "shop/db": true }],
    [
      "an empty podSelector: this namespace",
      from({ podSelector: {} }),
      { "shop/db": true, "other/db": false },
    ],
    [
      "an empty namespaceSelector: all pods",
      from({ namespaceSelector: {} }),
      { "other/db": true, "1.2.3.4": false, "other/agent": false },
    ],
    [
      "both selectors",
      from({
        namespaceSelector: { matchLabels: { team: "b" } },
        podSelector: { matchLabels: { app: "db" } },
      }),
      { "other/db": true, "shop/db": false },
    ],
    [
      "namespace by name",
      from({ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "other" } } }),
      { "other/db": true },
    ],
    [
      "not in",
      from({
        podSelector: { matchExpressions: [{ key: "app", operator: "NotIn", values: ["web"] }] },
      }),
      { "shop/db": true },
    ],
    [
      "does not exist",
      from({ podSelector: { matchExpressions: [{ key: "app", operator: "DoesNotExist" }] } }),
      { "shop/db": false },
    ],
    [
      "a block",
      from({ ipBlock: { cidr: "10.0.0.0/8", except: ["10.9.0.0/16"] } }),
      { "10.1.1.1": true, "10.9.1.1": false, "shop/db": true, "other/db": false, "fd00::9": false },
    ],
    [
      "a block of IPv6",
      from({ ipBlock: { cidr: "fd00::/8" } }),
      { "fd00::9": true, "10.1.1.1": false, "other/db": false },
    ],
    [
      "the host's network by its address",
      from({ ipBlock: { cidr: "192.168.0.0/16" } }),
      { "other/agent": true },
    ],
    [
      "the host's network by its labels",
      from({ podSelector: {}, namespaceSelector: {} }),
      { "other/agent": false },
    ],
  ])("%s", (_, spec, expected) => {
    const world = aShop({ networkPolicies: [netpol("shop/p", spec)] });

    const seen = Object.fromEntries(Object.keys(expected).map((peer) => [peer, lets(world, peer)]));

    expect(seen).toEqual(expected);
  });

  test.each<[string, unknown, Partial<Flow>, boolean]>([
    ["a number", ports({ port: 8080 }), {}, true],
    ["another number", ports({ port: 81 }), {}, false],
    ["TCP is the default", ports({ port: 8080 }), { protocol: "UDP" }, false],
    ["a protocol alone", ports({ protocol: "SCTP" }), { protocol: "SCTP", port: 7 }, true],
    ["a name", ports({ port: "http" }), {}, true],
    ["a name of the other protocol", ports({ port: "dns" }), { port: 53 }, false],
    [
      "a name with its protocol",
      ports({ port: "dns", protocol: "UDP" }),
      { port: 53, protocol: "UDP" },
      true,
    ],
    ["a name that nobody has", ports({ port: "nope" }), {}, false],
    ["the end of a range", ports({ port: 8000, endPort: 8080 }), {}, true],
    ["after a range", ports({ port: 8000, endPort: 8079 }), {}, false],
  ])("ports: %s", (_, spec, changes, expected) => {
    const world = aShop({ networkPolicies: [netpol("shop/p", spec)] });

    expect(lets(world, "shop/db", changes)).toBe(expected);
  });

  test("egress is isolated by default only when there is an egress rule", () => {
    const flow: Flow = {
      from: { pod: "shop/web" },
      to: { ip: "1.2.3.4" },
      protocol: "TCP",
      port: 1,
    };
    const egress = (spec: unknown) =>
      decide(aShop({ networkPolicies: [netpol("shop/p", spec)] }), flow).egress.allowed;

    expect(egress(ALL)).toBe(true);
    expect(egress({ ...ALL, egress: [] })).toBe(true);
    expect(egress({ ...ALL, egress: [{ to: [{ podSelector: {} }] }] })).toBe(false);
    expect(egress({ ...ALL, policyTypes: ["Egress"] })).toBe(false);
  });

  test("a pod always reaches itself, and on its own node nothing is denied", () => {
    const node = { node: "n1" };
    const world = aWorld(
      [
        { ...WEB, ...node },
        { ...HOST_AGENT, ...node },
      ],
      {
        networkPolicies: [netpol("shop/p", ALL)],
      },
    );

    expect(lets(world, "shop/web")).toBe(true);
    expect(lets(world, "other/agent")).toBe(true);
  });

  test("the rules that allow are named; when denied, the policies that isolate", () => {
    const allow = netpol("shop/allow", { ...ALL, ingress: [{}, { from: [{ podSelector: {} }] }] });
    const world = aShop({ networkPolicies: [netpol("shop/deny", ALL), allow] });
    const flow = { to: { pod: "shop/web" }, protocol: "TCP", port: 1 } as const;
    const by = (pod: string, of: World) =>
      decide(of, { ...flow, from: { pod } }).ingress.by.map(({ name, rule }) => `${name} ${rule}`);

    expect(by("shop/db", world)).toEqual(["allow 0", "allow 1"]);
    expect(by("shop/db", aShop({ networkPolicies: [netpol("shop/deny", ALL)] }))).toEqual([
      "deny null",
    ]);
  });

  test("what is not in the world is an error", () => {
    expect(() => lets(aShop({}), "shop/nobody")).toThrow("there is no pod shop/nobody");
    expect(() => lets(aShop({}), "1.2.3")).toThrow("no IP address");
  });
});

describe("what is not understood never denies", () => {
  const odd = (spec: unknown) => aShop({ networkPolicies: [netpol("shop/p", spec)] });

  test.each<[string, unknown]>([
    ["an unknown field of the spec", { ...ALL, newField: 1 }],
    [
      "an unknown field of a rule",
      { ...ALL, ingress: [{ from: [{ podSelector: { matchLabels: { a: "b" } } }], priority: 1 }] },
    ],
    [
      "podSelector together with ipBlock",
      from({ podSelector: {}, ipBlock: { cidr: "1.1.1.1/32" } }),
    ],
    ["an unknown kind of peer", from({ serviceSelector: {} })],
    ["an empty peer", from({})],
    ["a CIDR that cannot be parsed", from({ ipBlock: { cidr: "10.0.0.0/99" } })],
    [
      "an except that cannot be parsed",
      from({ ipBlock: { cidr: "0.0.0.0/0", except: ["all of them"] } }),
    ],
    [
      "an unknown operator",
      from({
        podSelector: { matchExpressions: [{ key: "app", operator: "Like", values: ["w"] }] },
      }),
    ],
    [
      "an unknown operator in the selection",
      { podSelector: { matchExpressions: [{ key: "app", operator: "Like" }] } },
    ],
    ["an unknown protocol", ports({ protocol: "ICMP", port: 1 })],
    ["an endPort below the port", ports({ port: 90, endPort: 80 })],
    ["a number in quotes", ports({ port: "8080" })],
    ["a section that is no list", { ...ALL, ingress: {} }],
    ["peers that are no list", { ...ALL, ingress: [{ from: {} }] }],
    ["a rule that is no object", { ...ALL, ingress: ["all"] }],
    ["no spec", null],
    ["a spec that is no object", "deny"],
  ])("%s", (_, spec) => {
    expect(lets(odd(spec), "shop/db")).toBe(true);
  });
});
