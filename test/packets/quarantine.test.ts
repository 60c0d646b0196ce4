/** The product's own runs, and what becomes of packets. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { NetworkPolicy, NetworkPolicySpec } from "../../core/policies.ts";
import type { Plan } from "../../core/quarantine/plan.ts";
import type { OtherPolicies } from "../../core/quarantine/settings.ts";
import type { Lab, LabPod } from "../../local/packet-lab/lab.ts";
import { quarantine, undo } from "../quarantine-run.ts";
import { concerns, describeEnds, passing, type Seen } from "./attempts.ts";
import { DNS, HTTP, openShop, type Shop } from "./shop.ts";

let shop: Shop;
let lab: Lab;
let web: LabPod;
let sibling: LabPod;
let api: LabPod;

beforeAll(async () => {
  shop = await openShop();
  ({ lab, web, sibling, api } = shop);
});
afterAll(() => lab?.stop());
beforeEach(() => shop.reset());

const shopPolicy = (name: string, spec: Partial<NetworkPolicySpec>): NetworkPolicy => ({
  ...{ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy" },
  metadata: { name, namespace: "shop" },
  spec: { podSelector: {}, policyTypes: spec.egress ? ["Egress"] : ["Ingress"], ...spec },
});
const labelled = (app: string) => ({ podSelector: { matchLabels: { app } } });
const money = { namespaceSelector: { matchLabels: { team: "money" } } };
const toWeb = shopPolicy("to-web", { ...labelled("web"), ingress: [{}] });
const fromMoney = shopPolicy("from-money", {
  ingress: [{ from: [money], ports: [{ port: HTTP }] }],
});
const dnsOut = shopPolicy("dns-out", { egress: [{ ports: [{ protocol: "UDP", port: DNS }] }] });
const apiOut = shopPolicy("api-out", {
  ...labelled("api"),
  egress: [{ to: [labelled("web")] }, { ports: [{ port: 8080 }] }],
});

/** The flows of these pods that pass, e.g. `a/b to c/d: TCP 80, UDP 80`; the node's left aside. */
function between({ tried }: Seen, ...pods: readonly LabPod[]): string[] {
  const its = tried.filter(
    (each) => each.passes && concerns(each, pods) && !concerns(each, [lab.node]),
  );
  return [...Map.groupBy(its, describeEnds)].map(
    ([ends, flows]) =>
      `${ends}: ${flows.map(({ protocol, port }) => `${protocol} ${port}`).join(", ")}`,
  );
}

const specsOf = ({ networkPolicies }: { readonly networkPolicies: readonly NetworkPolicy[] }) =>
  networkPolicies.map(({ metadata: { name }, spec }) => ({ name, spec }));

const everything = "TCP 80, TCP 5353, TCP 8080, UDP 80, UDP 5353, UDP 8080";

/** Undoes a run as a responder does by its plan: last step first. */
async function release({ phases }: Plan): Promise<void> {
  const steps = phases.flatMap(({ steps }) => steps);
  for (const step of steps.toReversed()) await undo(step, shop.product);
}

describe("a pod", () => {
  test("under no policy is closed", async () => {
    const { run, before, after, established } = await shop.contain(web);

    expect(run.allowing).toEqual([]);
    expect(established).toHaveLength(4 * 2 * 2); // peers, directions, protocols
    expect(between(before, web)).toHaveLength(4 * 2);
    expect(between(after, web)).toEqual([]);
  });

  test("under a policy that allows it by its labels is closed", async () => {
    await shop.reset(toWeb);

    const { run, before, after } = await shop.contain(web);

    expect(run.allowing).toEqual([]);
    expect(between(before, web)).toContain(`bank/ledger to shop/web: ${everything}`);
    expect(between(after, web)).toEqual([]);
  });

  test("under policies for the whole namespace stays as open as they allow, and they are named", async () => {
    await shop.reset(fromMoney, dnsOut, toWeb);

    const { run, after } = await shop.contain(web);

    expect(run.allowing.toSorted()).toEqual(["shop/dns-out", "shop/from-money"]);
    expect(between(after, web)).toEqual([
      "shop/web to shop/sibling: UDP 5353", // which `to-web` still admits
      "shop/web to bank/ledger: UDP 5353",
      "shop/web to 192.168.3.3: UDP 5353",
      "bank/ledger to shop/web: TCP 80",
    ]);
  });

  test("is cut off without its siblings and neighbours", async () => {
    await shop.reset(toWeb, apiOut);

    const { before, after } = await shop.contain(web);

    expect(between(after, web)).toEqual([]);
    expect(between(after, sibling, api)).toEqual(
      between(before, sibling, api).filter((flows) => !flows.includes("shop/web")),
    );
    expect(between(after, sibling)).toContain(`shop/api to shop/sibling: ${everything}`);
  });

  test("is left alone by an audit, which predicts the run that follows", async () => {
    await shop.reset(fromMoney, toWeb);

    const audit = await shop.contain(web, { audit: true });

    expect(passing(audit.after.tried)).toEqual(passing(audit.before.tried));
    expect(audit.run.allowing).toEqual(["shop/from-money"]);
    const real = await shop.contain(web);
    expect(real.run.reasons).toEqual(audit.run.reasons);
  });

  test("is quarantined a second time without a change", async () => {
    await shop.reset(fromMoney);
    const { run, after } = await shop.contain(web);
    const there = await lab.objects();

    await quarantine(shop.product, { namespace: "shop", pod: "web" }, { redriven: run });

    expect(await lab.objects()).toEqual(there); // resource versions too
    expect(passing((await shop.settled()).tried)).toEqual(passing(after.tried));
  });

  test("of two cases is closed until both are released, the last one first", async () => {
    const first = await shop.contain(web);
    const second = await shop.contain(web);
    expect(between(second.before, web)).toEqual([]);
    expect(between(second.after, web)).toEqual([]);

    await release(second.run.plan);
    expect(between(await shop.settled(), web)).toEqual([]);

    await release(first.run.plan);
    expect(passing((await shop.settled()).tried)).toEqual(passing(first.before.tried));
  });

  test("is reachable as before once its plan is undone", async () => {
    await shop.reset(toWeb, apiOut);
    const { run, before, after } = await shop.contain(web);
    expect(between(before, web)).not.toEqual([]);
    expect(between(after, web)).toEqual([]);

    await release(run.plan);

    const released = await shop.settled();
    expect(released.world).toEqual(before.world);
    expect(passing(released.tried)).toEqual(passing(before.tried));
  });
});

describe("a namespace", () => {
  const others = (otherPolicies: OtherPolicies) => ({
    settings: { otherPolicies: { containment: otherPolicies, audit: otherPolicies } },
  });
  const itsPods = () => [web, sibling, api];

  test("stays as open as its other policies allow where they are only reported", async () => {
    await shop.reset(toWeb, fromMoney);

    const { run, after } = await shop.contain("shop", others("report"));

    expect(run.allowing.toSorted()).toEqual(["shop/from-money", "shop/to-web"]);
    expect(between(after, ...itsPods())).toEqual([
      `bank/ledger to shop/web: ${everything}`,
      `bank/ledger to shop/sibling: ${everything}`,
      "bank/ledger to shop/api: TCP 80",
      `192.168.3.3 to shop/web: ${everything}`,
      `192.168.3.3 to shop/sibling: ${everything}`,
    ]);
  });

  test("is closed where they are suspended, and as open as they allow once that is undone", async () => {
    await shop.reset(toWeb, fromMoney);
    const reported = await shop.contain("shop", others("report"));
    await release(reported.run.plan);

    const { run, after } = await shop.contain("shop", others("suspend"));
    expect(run.allowing).toEqual([]);
    expect(between(after, ...itsPods())).toEqual([]);

    const there = specsOf(await lab.objects());
    await quarantine(shop.product, { namespace: "shop", pod: null }, { redriven: run });
    expect(specsOf(await lab.objects())).toEqual(there);

    const suspensions = run.plan.phases
      .flatMap(({ steps }) => steps)
      .filter(({ write }) => write.action === "patch");
    expect(suspensions).toHaveLength(2);
    for (const step of suspensions) await undo(step, shop.product);

    expect(passing((await shop.settled()).tried)).toEqual(passing(reported.after.tried));
  });

  test("is left alone by an audit, which predicts the run that follows", async () => {
    await shop.reset(toWeb, fromMoney);

    const audit = await shop.contain("shop", { audit: true, ...others("suspend") });

    expect(passing(audit.after.tried)).toEqual(passing(audit.before.tried));
    const real = await shop.contain("shop", others("suspend"));
    expect(real.run.reasons).toEqual(audit.run.reasons);
  });

  test("is as open as before once its plan is undone", async () => {
    await shop.reset(toWeb, fromMoney);
    const { run, before } = await shop.contain("shop", others("suspend"));

    await release(run.plan);

    const released = await shop.settled();
    expect(specsOf(released.world.policies)).toEqual(specsOf(before.world.policies));
    expect(passing(released.tried)).toEqual(passing(before.tried));
  });
});
