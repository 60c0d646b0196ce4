import * as fc from "fast-check";
import type { PolicySet } from "../../core/policies.ts";
import type { Cni, World } from "../../core/quarantine/reach/model.ts";
import { aWorld, aWorldPod, calico, cilium, clusterPolicy, netpol } from "./worlds.ts";

/** Small worlds in which everything meets everything: few names, few labels, ports side by side. */
const LETTERS = ["a", "b"] as const;
export const SOME_PORTS = [1, 79, 80, 81, 89, 90, 91, 100, 443, 65_535] as const;
export const SOME_IPS = ["10.0.0.9", "10.1.0.1", "11.0.0.1", "8.8.8.8", "fd00::9", "2001:db8::1"];

const letter = fc.constantFrom(...LETTERS);
const port = fc.constantFrom(...SOME_PORTS);
const cidr = fc.constantFrom("10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "fd00::/8", "::/0", "bad");
const few = <T>(item: fc.Arbitrary<T>, maxLength = 2) => fc.array(item, { maxLength });

const selector = fc.oneof(
  fc.constant({}),
  fc.record({ matchLabels: fc.record({ l: letter }) }),
  fc.record({
    matchExpressions: fc.tuple(
      fc.record({
        key: fc.constant("l"),
        operator: fc.constantFrom("In", "NotIn", "Odd"),
        values: fc.tuple(letter),
      }),
    ),
  }),
);
const block = fc.record({ cidr, except: few(cidr, 1) });
const peer = fc.oneof(
  fc.record({ podSelector: selector }),
  fc.record({ namespaceSelector: selector }),
  fc.record({ namespaceSelector: selector, podSelector: selector }),
  fc.record({ ipBlock: block }),
);
const portTerm = fc.oneof(
  fc.record({ port, protocol: fc.constantFrom("TCP", "UDP") }),
  fc.record({ port: fc.constantFrom(79, 80), endPort: fc.constantFrom(80, 90, 100) }),
  fc.record({ port: fc.constantFrom("http", "gone") }),
);

const networkSpec = fc.record(
  {
    podSelector: selector,
    policyTypes: fc.subarray(["Ingress", "Egress"]),
    ingress: few(fc.record({ from: few(peer), ports: few(portTerm) })),
    egress: few(fc.record({ to: few(peer), ports: few(portTerm) })),
  },
  { requiredKeys: ["podSelector"] },
);

const pods = fc.oneof(
  fc.record({ namespaces: selector }),
  fc.record({ pods: fc.record({ namespaceSelector: selector, podSelector: selector }) }),
);
const clusterPorts = few(
  fc.oneof(
    fc.record({ portNumber: fc.record({ protocol: fc.constant("TCP"), port }) }),
    fc.record({ portRange: fc.record({ start: fc.constant(80), end: fc.constantFrom(90, 100) }) }),
    fc.record({ namedPort: fc.constant("http") }),
  ),
  1,
);
const action = fc.constantFrom("Accept", "Deny", "Pass", "Deny");
const clusterSpec = fc.record({
  tier: fc.constantFrom("Admin", "Baseline"),
  priority: fc.constantFrom(1, 2),
  subject: pods,
  ingress: few(
    fc.record({
      action,
      from: fc.array(pods, { minLength: 1, maxLength: 2 }),
      ports: clusterPorts,
    }),
  ),
  egress: few(
    fc.record({
      action,
      to: fc.tuple(fc.oneof(pods, fc.record({ networks: few(cidr) }))),
      ports: clusterPorts,
    }),
  ),
});

const entity = fc.constantFrom("all", "world", "cluster", "host", "remote-node");
const ciliumPorts = few(
  fc.record({
    ports: fc.tuple(fc.record({ port: port.map(String), protocol: fc.constantFrom("TCP", "ANY") })),
  }),
  1,
);
const ciliumSide = (side: "from" | "to") =>
  few(
    fc.oneof(
      fc.record({ [`${side}Endpoints`]: few(selector), toPorts: ciliumPorts }),
      fc.record({ [`${side}Entities`]: few(entity), toPorts: ciliumPorts }),
      fc.record({ [`${side}CIDRSet`]: few(block), toPorts: ciliumPorts }),
    ),
  );
const ciliumSpec = fc.record({
  endpointSelector: selector,
  ingress: ciliumSide("from"),
  ingressDeny: ciliumSide("from"),
  egress: ciliumSide("to"),
  egressDeny: ciliumSide("to"),
});

const text = fc.constantFrom("all()", "l == 'a'", "l != 'a'", "!has(l)", "odd(");
const calicoEnd = fc.record(
  { selector: text, notSelector: text, nets: few(cidr), ports: fc.tuple(port) },
  { requiredKeys: [] },
);
const calicoRules = few(
  fc.record(
    {
      action: fc.constantFrom("Allow", "Deny", "Pass", "Log"),
      protocol: fc.constantFrom("TCP", "UDP"),
      source: calicoEnd,
      destination: calicoEnd,
    },
    { requiredKeys: ["action", "protocol"] },
  ),
);
const calicoSpec = fc.record({
  tier: fc.constantFrom("default", "kube-admin", "mine"),
  order: fc.constantFrom(1, 2, 1_000),
  selector: text,
  ingress: calicoRules,
  egress: calicoRules,
});

const named = <S, P>(
  spec: fc.Arbitrary<S>,
  make: (name: string, spec: S) => P,
  spaces: readonly string[],
) =>
  fc
    .array(fc.tuple(fc.constantFrom(...spaces), spec), { maxLength: 3 })
    .map((drawn) => drawn.map(([space, each], at) => make(`${space}p${at}`, each)));

export const somePolicies: fc.Arbitrary<PolicySet> = fc.record({
  networkPolicies: named(networkSpec, netpol, ["a/", "b/"]),
  applicationNetworkPolicies: fc.constant([]),
  clusterNetworkPolicies: named(clusterSpec, clusterPolicy, [""]),
  ciliumNetworkPolicies: named(ciliumSpec, cilium, ["a/", ""]),
  calicoPolicies: named(calicoSpec, calico, ["a/", ""]),
});

export const someCni = fc.constantFrom<(Cni | null)[]>("vpc", "cilium", "calico", null);

const http = [{ name: "http", containerPort: 80 }];
const someLabels = fc.oneof(
  fc.constant({}),
  letter.map((l) => ({ l })),
);

/** Pods of two namespaces; `a/x-0` is the one to ask about. */
export const someWorld: fc.Arbitrary<World> = fc
  .tuple(
    fc.tuple(someLabels, someLabels, someLabels, someLabels),
    somePolicies,
    someCni,
    fc.boolean(),
  )
  .map(([[one, two, three, four], policies, cni, known]) =>
    aWorld(
      [
        aWorldPod("a/x-0", one, {
          ips: known ? ["10.0.0.1"] : ["10.0.0.1", "fd00::1"],
          ports: http,
          node: "n1",
        }),
        aWorldPod("a/x-1", two, { ips: ["10.1.0.2"], node: known ? "n2" : "n1" }),
        aWorldPod("a/y", three, { ips: known ? ["11.0.0.3"] : [], ports: http }),
        aWorldPod("b/z", four, { ips: ["10.1.0.4", "fd00::4"] }),
        aWorldPod("b/host", four, { ips: ["10.1.0.5"], hostNetwork: true, node: "n3" }),
      ],
      policies,
      cni,
      { a: { l: "a" }, b: { l: "b" } },
    ),
  );
