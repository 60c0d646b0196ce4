/** What single policies do to packets, and what they leave alone. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { kubernetesApi } from "../../adapters/kubernetes/api.ts";
import { httpsTransport } from "../../adapters/kubernetes/transport.ts";
import type { NetworkPolicy, NetworkPolicySpec } from "../../core/policies.ts";
import type { Protocol } from "../../local/packet-lab/flow.ts";
import {
  type Lab,
  type LabPod,
  type Origin,
  type Place,
  startLab,
} from "../../local/packet-lab/lab.ts";

const http = 80;
const admin = 8080;
const dns = 5353;
const listens = [http, admin, dns];
const declares = [
  { name: "http", containerPort: http },
  { name: "dns", containerPort: dns, protocol: "UDP" },
];

let lab: Lab;
let web: LabPod;
let api: LabPod;
let ledger: LabPod;

beforeAll(async () => {
  lab = await startLab();
  await Promise.all([lab.addNamespace("shop"), lab.addNamespace("bank", { team: "money" })]);
  const add = (namespace: string, name: string) =>
    lab.addPod({ namespace, name, labels: { app: name }, declares, listens });
  [web, api, ledger] = await Promise.all([
    add("shop", "web"),
    add("shop", "api"),
    add("bank", "ledger"),
  ]);
});
afterAll(() => lab?.stop());

beforeEach(async () => {
  await lab.relabelPod(api, { app: "api" });
  await lab.relabelNamespace("bank", { team: "money" });
  await enforce();
});

/** Both namespaces then have these policies and no others, and no flow of before is remembered. */
async function enforce(...policies: NetworkPolicy[]): Promise<void> {
  for (const namespace of ["shop", "bank"]) {
    const its = policies.filter(({ metadata }) => metadata.namespace === namespace);
    await lab.replacePolicies(namespace, its);
  }
  await lab.settled();
  await lab.forgetFlows();
}

function policy(target: LabPod, name: string, spec: Partial<NetworkPolicySpec>): NetworkPolicy {
  return {
    ...{ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy" },
    metadata: { name, namespace: target.namespace },
    spec: { podSelector: { matchLabels: { app: target.name } }, policyTypes: ["Ingress"], ...spec },
  };
}

const denyAll = (target: LabPod) =>
  policy(target, "deny-all", { policyTypes: ["Ingress", "Egress"] });

/** The ports that answer, e.g. `TCP 80, UDP 80`. */
async function answering(from: Origin, to: Place): Promise<string> {
  const flows = (["TCP", "UDP"] as const).flatMap((protocol) =>
    listens.map((port) => ({ protocol, port })),
  );
  const passing = await Promise.all(
    flows.map(async ({ protocol, port }) => lab.passes(from, to, protocol, port)),
  );
  return flows
    .filter((_, index) => passing[index])
    .map(({ protocol, port }) => `${protocol} ${port}`)
    .join(", ");
}

const everything = "TCP 80, TCP 8080, TCP 5353, UDP 80, UDP 8080, UDP 5353";
const nothing = "";

test("without policies every pod reaches every other", async () => {
  expect(await answering(web, api)).toBe(everything);
  expect(await answering(ledger, web)).toBe(everything);
});

test("deny-all cuts new flows to the pod and from it, and leaves the others alone", async () => {
  await enforce(denyAll(api));

  expect(await answering(web, api)).toBe(nothing);
  expect(await answering(api, web)).toBe(nothing);
  expect(await answering(web, ledger)).toBe(everything);
});

test("deleting the policy opens the pod again", async () => {
  await enforce(denyAll(api));
  await enforce();

  expect(await answering(web, api)).toBe(everything);
});

test("deny-all does not close what another policy allows", async () => {
  await enforce(denyAll(api), policy(api, "allow-all", { ingress: [{}] }));

  expect(await answering(web, api)).toBe(everything);
  expect(await answering(api, web)).toBe(nothing);
});

test("a pod whose labels are replaced leaves the policies of its siblings", async () => {
  const quarantined = { ...api, name: "quarantined" };
  await enforce(policy(api, "allow-all", { ingress: [{}] }), denyAll(quarantined));
  expect(await answering(web, api)).toBe(everything);

  await lab.relabelPod(api, { app: "quarantined" });
  await lab.settled();
  await lab.forgetFlows();

  expect(await answering(web, api)).toBe(nothing);
  expect(await answering(ledger, web)).toBe(everything);
});

test("a namespace selector admits by the labels of the namespace", async () => {
  const from = [{ namespaceSelector: { matchLabels: { team: "money" } } }];
  await enforce(policy(api, "from-money", { ingress: [{ from }] }));

  expect(await answering(ledger, api)).toBe(everything);
  expect(await answering(web, api)).toBe(nothing);

  await lab.relabelNamespace("bank", {});
  await lab.settled();
  await lab.forgetFlows();
  expect(await answering(ledger, api)).toBe(nothing);
});

test("an IP block admits all addresses but the excepted", async () => {
  const ipBlock = { cidr: "10.244.0.0/16", except: [`${ledger.address}/32`] };
  await enforce(policy(api, "from-pods", { ingress: [{ from: [{ ipBlock }] }] }));

  expect(await answering(web, api)).toBe(everything);
  expect(await answering(ledger, api)).toBe(nothing);
});

test("a named port is the declared port of the pod that receives", async () => {
  await enforce(policy(api, "http-only", { ingress: [{ ports: [{ port: "http" }] }] }));

  expect(await answering(web, api)).toBe("TCP 80");
});

test("an end port opens the whole range", async () => {
  await enforce(policy(api, "range", { ingress: [{ ports: [{ port: 80, endPort: 5400 }] }] }));

  expect(await answering(web, api)).toBe("TCP 80, TCP 5353");
});

test("a rule for UDP opens no TCP", async () => {
  const ports = [{ protocol: "UDP", port: dns }];
  await enforce(policy(api, "dns-only", { policyTypes: ["Egress"], egress: [{ ports }] }));

  expect(await answering(api, ledger)).toBe("UDP 5353");
  expect(await answering(ledger, api)).toBe(everything);
});

test("an established flow survives deny-all until connection tracking forgets it", async () => {
  const open = (protocol: Protocol, from: LabPod, to: LabPod) => lab.open(from, to, protocol, http);
  const flows = await Promise.all([
    open("TCP", web, api),
    open("UDP", web, api),
    open("TCP", api, ledger),
    open("UDP", api, ledger),
  ]);
  const passing = () => Promise.all(flows.map((flow) => flow.passes()));
  await lab.replacePolicies("shop", [denyAll(api)]);
  await lab.settled();
  expect(await lab.passes(web, api, "TCP", http)).toBe(false);
  expect(await passing()).toEqual([true, true, true, true]);

  await lab.forgetFlows(api);

  expect(await passing()).toEqual([false, false, false, false]);
  await Promise.all(flows.map((flow) => flow.close()));
});

test("the pod's own node reaches it in spite of deny-all", async () => {
  await enforce(denyAll(api));

  expect(await answering("node", api)).toBe(everything);
});

test("a pod that is removed answers no more", async () => {
  const options = { namespace: "shop", name: "short-lived", listens };
  const pod = await lab.addPod(options);
  await lab.settled();
  expect(await answering(web, pod)).toBe(everything);

  await lab.removePod(pod);

  expect(await answering("node", pod)).toBe(nothing);
});

test("the product's own adapter works in the lab, with the product's rights", async () => {
  const { access, tokens } = lab.responder;
  const transport = httpsTransport(access, async () => tokens.ApplyPolicy);
  const product = kubernetesApi(transport);

  expect((await product.pod("shop", "api"))?.status?.podIP).toBe(api.address);
  const secrets = await transport({ method: "GET", path: "/api/v1/secrets" });
  expect(secrets.status).toBe(403);
});

/** What the random scenes leave out for that reason: `random-scene.ts`. */
describe("kube-router 1.6.1 differs from the API in that", () => {
  const all = { podSelector: {}, policyTypes: ["Ingress", "Egress"] };

  test("a pod that a policy keeps from everybody is kept from its own node too", async () => {
    await lab.addHostPod({ namespace: "bank", name: "agent", listens });
    await enforce(denyAll(api));

    expect(await answering(web, lab.node)).toBe(everything);
    expect(await answering(api, lab.node)).toBe(nothing);
  });

  test("between two pods of a policy for both directions, either direction's rules open both", async () => {
    await enforce(policy(api, "egress-only", { ...all, egress: [{}] }));

    expect(await answering(web, api)).toBe(everything); // no ingress is allowed
    expect(await answering(ledger, api)).toBe(nothing);
  });

  test("a port name that no pod declares opens every port to selected pods", async () => {
    const unknown = { from: [{ podSelector: {} }], ports: [{ port: "unknown" }] };
    await enforce(policy(api, "unknown-port", { ingress: [unknown] }));

    expect(await answering(web, api)).toBe(everything);
    expect(await answering(ledger, api)).toBe(nothing);
  });

  test("a port name in egress to everywhere stands for the ports of the policy's own namespace", async () => {
    const ports = [{ port: "http" }];
    await enforce(policy(ledger, "http-out", { policyTypes: ["Egress"], egress: [{ ports }] }));

    expect(await answering(ledger, web)).toBe("TCP 80");
  });

  test("a port name in egress to an IP block stands for nothing", async () => {
    const to = [{ ipBlock: { cidr: "0.0.0.0/0" } }];
    const egress = [{ to, ports: [{ port: "http" }] }];
    await enforce(policy(ledger, "http-out", { policyTypes: ["Egress"], egress }));

    expect(await answering(ledger, web)).toBe(nothing);
  });

  test("an exception of one IP block also cuts into the other blocks of its rule", async () => {
    const wide = { cidr: "10.0.0.0/8", except: [`${web.address}/32`] };
    const from = [{ ipBlock: wide }, { ipBlock: { cidr: "10.244.0.0/16" } }];
    await enforce(policy(api, "two-blocks", { ingress: [{ from }] }));

    expect(await answering(web, api)).toBe(nothing);
    expect(await answering(ledger, api)).toBe(everything);
  });
});
