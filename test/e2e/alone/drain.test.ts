/**
 * Emptying the node under a contained pod, as a person asks for it. Alone: the node of its own is no
 * instance, and other files expect their pods on every node.
 */
import { randomUUID } from "node:crypto";
import { json } from "node:stream/consumers";
import { AppsV1Api, PolicyV1Api } from "@kubernetes/client-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kubernetesApi } from "../../../adapters/kubernetes/api.ts";
import type { ApiAnswer, ApiRequest } from "../../../adapters/kubernetes/transport.ts";
import type { RunResult } from "../../../core/evidence/record-run.ts";
import type { Drain, DrainPlan } from "../../../core/evidence/schemas/drain.ts";
import { waitFor } from "../../../local/wait.ts";
import {
  artefactsOf,
  askCluster,
  containment,
  core,
  deployment,
  endOf,
  kubeconfig,
  networking,
  policyNames,
  resultOf,
  store,
  turnKillSwitch,
  verify,
} from "../harness.ts";

const id = randomUUID().slice(0, 8);
const node = `drained-${id}`;
const namespace = node;
const apps = kubeconfig.makeApiClient(AppsV1Api);
const policy = kubeconfig.makeApiClient(PolicyV1Api);

type DrainRun = Drain & { readonly runId: string };

let contained: RunResult;
let audit: DrainRun;

beforeAll(async () => {
  // The pods of other files must not come here.
  const taints = [{ key: "drained", value: id, effect: "NoSchedule" }];
  await core.createNode({
    body: { metadata: { name: node, labels: { drained: id } }, spec: { taints } },
  });
  await core.createNamespace({ body: { metadata: { name: namespace } } });
  for (const name of ["victim", "alone"]) {
    const { metadata, spec } = podOf(name);
    await core.createNamespacedPod({ namespace, body: { metadata: { ...metadata, name }, spec } });
  }
  for (const name of ["cart", "db"]) {
    const spec = { selector: { matchLabels: { app: name } }, template: podOf(name) };
    await apps.createNamespacedDeployment({ namespace, body: { metadata: { name }, spec } });
  }
  const selector = { matchLabels: { app: "agent" } };
  await apps.createNamespacedDaemonSet({
    namespace,
    body: { metadata: { name: "agent" }, spec: { selector, template: podOf("agent") } },
  });
  await policy.createNamespacedPodDisruptionBudget({
    namespace,
    body: {
      metadata: { name: "db" },
      spec: { minAvailable: 1, selector: { matchLabels: { app: "db" } } },
    },
  });
  await waitFor({ what: "five running pods", limitMs: 60_000 }, async () =>
    (await namesOn(node)).length === 5 ? true : undefined,
  );
  const reason = `drain ${id}`;
  await containment("contain", `${namespace}/victim`, "--reason", reason);
  contained = resultOf(await endOf(reason));
});

afterAll(async () => {
  await core.deleteNamespace({ name: namespace });
  await core.deleteNode({ name: node });
});

function podOf(app: string) {
  return {
    metadata: { labels: { app } },
    spec: {
      nodeSelector: { drained: id },
      tolerations: [{ key: "drained", value: id, effect: "NoSchedule" }],
      terminationGracePeriodSeconds: 0,
      containers: [{ name: app, image: `registry.example/${app}:1` }],
    },
  };
}

/** The product's requests with the rights of an administrator. */
async function asAdministrator({ method, path, body }: ApiRequest): Promise<ApiAnswer> {
  const headers = { "content-type": "application/json" };
  const answer = await askCluster(path, { method, headers }, body?.content);
  return { status: answer.statusCode ?? 0, body: await json(answer) };
}

/** What runs there, without what controllers add to the names. */
async function namesOn(name: string): Promise<readonly string[]> {
  const { items } = await core.listNamespacedPod({
    namespace,
    fieldSelector: `spec.nodeName=${name}`,
  });
  return items
    .filter(({ status }) => status?.phase === "Running")
    .map(({ metadata }) => (metadata?.name ?? "").split("-")[0] ?? "")
    .toSorted();
}

test("is shown first, pod by pod with the reason, and evicts nothing", async () => {
  const { code, out } = await containment("drain", contained.case.id, "--json");

  const plan: DrainPlan = JSON.parse(out);
  expect(code).toBe(0);
  expect(plan.nodes.map(({ name }) => name)).toEqual([node]);
  expect(plan.evictions.map(({ controller }) => controller.split("-")[0]).toSorted()).toEqual([
    "ReplicaSet cart",
    "ReplicaSet db",
  ]);
  const own = plan.stays.filter((pod) => pod.namespace === namespace);
  const stays = own.map(({ name, reason }) => [name.split("-")[0], reason]).toSorted();
  expect(stays).toEqual([
    ["agent", "DaemonSet agent would start it here again"],
    ["alone", "it has no controller: nobody would start it again"],
    ["victim", "it is what was contained: it is kept for forensics"],
  ]);
  expect(await namesOn(node)).toEqual(["agent", "alone", "cart", "db", "victim"]);
});

test("is an audit while the kill switch is engaged, and says how it is lifted", async () => {
  const before = await namesOn(node);
  await turnKillSwitch("engaged");

  const { code, out } = await containment(
    ...["drain", contained.case.id, "--yes", "--reason", "why", "--json"],
  ).finally(() => turnKillSwitch("released"));

  audit = JSON.parse(out);
  expect(code).toBe(1);
  expect(audit).toMatchObject({
    verdict: "audited",
    brakes: [{ lift: expect.stringContaining(`--name ${deployment.killSwitch} --value released`) }],
    pods: [{ outcome: "withheld" }, { outcome: "withheld" }],
  });
  expect(await namesOn(node)).toEqual(before);
});

test("waits for a budget, leaves what must stay, and is a run of its case that verifies", async () => {
  const ended = containment("drain", contained.case.runId, "--yes", "--reason", "why", "--json");
  await waitFor({ what: "the cart to leave", limitMs: 60_000 }, async () =>
    (await namesOn(node)).includes("cart") ? undefined : true,
  );
  expect(await namesOn(node)).toContain("db");
  await policy.deleteNamespacedPodDisruptionBudget({ namespace, name: "db" });

  const { code, out } = await ended;

  const { runId, ...drain }: DrainRun = JSON.parse(out);
  expect(code).toBe(0);
  expect(drain).toMatchObject({ verdict: "drained", reason: "why", notDrained: [] });
  expect(drain.pods.map(({ outcome }) => outcome)).toEqual(["left", "left"]);
  expect(await namesOn(node)).toEqual(["agent", "alone", "victim"]);
  expect(await artefactsOf(runId)).toEqual(["drain-plan.json", "drain.json", "manifest.json"]);
  expect(await verify(runId)).toMatchObject({ verified: true, problems: [] });
  const manifest = await store.read(`runs/${runId}/manifest.json`);
  expect(manifest?.document).toMatchObject({ previous: { runId: audit.runId } });
  expect((await containment("run", runId)).out).toContain("drained");
}, 180_000);

test("touches no node that was uncordoned since, and says so with exit code 1", async () => {
  await core.patchNode({
    name: node,
    body: [{ op: "add", path: "/spec/unschedulable", value: false }],
  });
  const before = await waitFor({ what: "replacements", limitMs: 60_000 }, async () => {
    const names = await namesOn(node);
    return names.includes("cart") && names.includes("db") ? names : undefined;
  });

  const { code, out } = await containment(
    ...["drain", contained.case.id, "--yes", "--reason", "why"],
  );

  expect(code).toBe(1);
  expect(out).toContain(`left   node ${node}: it is no longer cordoned`);
  expect(await namesOn(node)).toEqual(before);
});

test("what bears the name of a pod or policy that is gone is neither evicted nor deleted", async () => {
  const metadata = { name: "successor" };
  await networking.createNamespacedNetworkPolicy({
    namespace,
    body: { metadata, spec: { podSelector: {} } },
  });
  const gone = { namespace, name: "successor", uid: randomUUID() };
  const kubernetes = kubernetesApi(asAdministrator);

  expect(await kubernetes.evict({ ...gone, name: "alone" })).toBeNull();
  await kubernetes.delete({ ...gone, apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy" });

  expect(await namesOn(node)).toContain("alone");
  expect(await policyNames(namespace)).toContain("successor");
});

test.each([
  ["a case that does not exist", "c-20260101-0000000000", /neither a case nor a run/],
  ["no reason", "", /needs a --reason/],
])("is refused for %s", async (_, of, why) => {
  const { code, err } = of
    ? await containment("drain", of)
    : await containment("drain", contained.case.id, "--yes");

  expect(code).toBe(2);
  expect(err).toMatch(why);
});
