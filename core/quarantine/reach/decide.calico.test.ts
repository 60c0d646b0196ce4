import { describe, expect, test } from "vitest";
import { aShop, calico, lets, netpol } from "../../../test/memory/worlds.ts";
import type { PolicySet } from "../../policies.ts";

const ALL = { podSelector: {} };

describe("Calico", () => {
  const rule = (action: string, source: object = {}, more: object = {}) => ({
    action,
    source,
    ...more,
  });
  const gnp = (name: string, changes: object) =>
    calico(name, { order: 100, selector: "all()", ...changes });

  test.each<[string, unknown[], string, boolean]>([
    ["end of tier", [gnp("g", { types: ["Ingress"] })], "shop/db", false],
    ["no policy for the direction", [gnp("g", { types: ["Egress"] })], "shop/db", true],
    ["Allow", [gnp("g", { ingress: [rule("Allow")] })], "shop/db", true],
    [
      "lower order first",
      [gnp("a", { ingress: [rule("Deny")] }), gnp("b", { order: 1, ingress: [rule("Allow")] })],
      "shop/db",
      true,
    ],
    [
      "Log goes on",
      [gnp("g", { ingress: [rule("Log"), rule("Deny"), rule("Allow")] })],
      "shop/db",
      false,
    ],
    [
      "Pass in the last tier: nothing denies",
      [gnp("g", { ingress: [rule("Pass")] })],
      "shop/db",
      true,
    ],
    [
      "a selector",
      [gnp("g", { ingress: [rule("Allow", { selector: "app == 'db'" })] })],
      "other/db",
      true,
    ],
    [
      "in a namespace's policy, of that namespace",
      [calico("shop/n", { ingress: [rule("Allow", { selector: "app == 'db'" })] })],
      "other/db",
      false,
    ],
    [
      "namespaceSelector",
      [calico("shop/n", { ingress: [rule("Allow", { namespaceSelector: "team == 'b'" })] })],
      "other/db",
      true,
    ],
    ["nets", [gnp("g", { ingress: [rule("Allow", { nets: ["10.9.0.0/16"] })] })], "other/db", true],
    [
      "notNets",
      [gnp("g", { ingress: [rule("Allow", { notNets: ["10.9.0.0/16"] })] })],
      "other/db",
      false,
    ],
    [
      "notSelector",
      [gnp("g", { ingress: [rule("Allow", { notSelector: "app == 'db'" })] })],
      "1.2.3.4",
      true,
    ],
    [
      "service accounts",
      [gnp("g", { ingress: [rule("Allow", { serviceAccounts: { names: ["ops"] } })] })],
      "other/db",
      true,
    ],
    [
      "ports",
      [
        gnp("g", {
          ingress: [rule("Allow", {}, { protocol: "TCP", destination: { ports: ["8000:8080"] } })],
        }),
      ],
      "shop/db",
      true,
    ],
    [
      "notPorts",
      [
        gnp("g", {
          ingress: [rule("Allow", {}, { protocol: "TCP", destination: { notPorts: [8080] } })],
        }),
      ],
      "shop/db",
      false,
    ],
    [
      "notProtocol",
      [gnp("g", { ingress: [rule("Allow", {}, { notProtocol: "TCP" })] })],
      "shop/db",
      false,
    ],
    [
      "the rule's own end",
      [gnp("g", { ingress: [rule("Allow", {}, { destination: { selector: "app == 'x'" } })] })],
      "shop/db",
      false,
    ],
    [
      "a service opens",
      [gnp("g", { ingress: [rule("Allow", { services: { name: "x" } })] })],
      "shop/db",
      true,
    ],
    [
      "a deny of a service denies nothing",
      [gnp("g", { ingress: [rule("Deny", { services: { name: "x" } }), rule("Allow")] })],
      "shop/db",
      true,
    ],
    [
      "a selector that is not understood",
      [gnp("g", { selector: "app ~ 'x'", ingress: [rule("Deny")] })],
      "shop/db",
      true,
    ],
    [
      "a tier of unknown order denies nothing",
      [gnp("g", { tier: "mine", ingress: [rule("Deny")] })],
      "shop/db",
      true,
    ],
    ["an unknown action opens", [gnp("g", { ingress: [rule("Maybe")] })], "shop/db", true],
    [
      "policies for hosts are not for pods",
      [gnp("g", { preDNAT: true, applyOnForward: true, ingress: [rule("Deny")] })],
      "shop/db",
      true,
    ],
  ])("%s", (_, policies, peer, expected) => {
    const calicoPolicies = policies as PolicySet["calicoPolicies"];

    expect(lets(aShop({ calicoPolicies }, "calico"), peer)).toBe(expected);
  });

  test("NetworkPolicies have order 1000", () => {
    const networkPolicies = [netpol("shop/p", { ...ALL, ingress: [{}] })];
    const at = (order: number) =>
      lets(
        aShop(
          { networkPolicies, calicoPolicies: [gnp("g", { order, ingress: [rule("Deny")] })] },
          "calico",
        ),
        "shop/db",
      );

    expect(at(999)).toBe(false);
    expect(at(1_001)).toBe(true);
  });
});
