import { describe, expect, test } from "vitest";
import type { Denial } from "../../core/policies.ts";
import { lookAtAll } from "../../core/quarantine/read-back.ts";
import { kubernetesApi } from "./api.ts";
import type { ApiAnswer, ApiRequest } from "./transport.ts";

/** The API behind a transport that answers by the book and keeps what it was asked. */
function prepare(...answers: readonly ApiAnswer[]) {
  const asked: ApiRequest[] = [];
  const queue = [...answers];
  const api = kubernetesApi(async (request) => {
    asked.push(request);
    const answer = queue.shift() ?? { status: 500, body: { message: "asked too often" } };
    for (const item of Object(answer.body).items ?? []) request.each?.(item);
    return answer;
  });
  return { api, asked };
}

const POD = {
  apiVersion: "v1",
  kind: "Pod",
  namespace: "payments",
  name: "checkout-1",
  uid: "uid-1",
};
const LABELS = [{ op: "add", path: "/metadata/labels", value: { a: "b" } }] as const;
const DENIAL: Denial = {
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name: "q", namespace: "payments" },
  spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
};

describe("reading", () => {
  test("follows a list to its last page", async () => {
    const { api, asked } = prepare(
      { status: 200, body: { items: [{ id: 1 }], metadata: { continue: "next page" } } },
      { status: 200, body: { items: [{ id: 2 }], metadata: {} } },
    );

    const sizes: number[] = [];
    for await (const page of api.podPages("payments", () => null)) sizes.push(page.length);

    expect(sizes).toEqual([1, 1]);
    expect(asked[1]?.path).toContain("&continue=next%20page");
  });

  test("answers null for what is not there", async () => {
    expect(await prepare({ status: 404, body: {} }).api.pod("payments", "gone")).toBeNull();
  });

  test("that a list is not there is believed of kinds only that a CNI brings", async () => {
    const gone = () => prepare({ status: 404, body: {} }).api;
    const pods = lookAtAll(gone().podPages("payments", () => null));

    await expect(pods).rejects.toThrow("/api/v1/namespaces/payments/pods?limit=100: 404");
    await expect(gone().policies("payments", ["NetworkPolicy"])).rejects.toThrow("404");
    await expect(gone().policyKinds()).rejects.toThrow("GET /apis: 404");
    const cilium = await gone().policies("payments", ["CiliumNetworkPolicy"]);
    expect(cilium.ciliumNetworkPolicies).toEqual([]);
  });

  test.each([
    [401, "KubernetesUnauthorized"],
    [403, "KubernetesForbidden"],
    [409, "KubernetesConflict"],
    [410, "KubernetesConflict"],
    [422, "KubernetesRejected"],
    [429, "KubernetesThrottled"],
    [500, "KubernetesUnavailable"],
    [503, "KubernetesUnavailable"],
  ])("tells %i as %s, with what was asked and what came back", async (status, name) => {
    const failure = prepare({ status, body: { message: "said why" } }).api.node("n");

    await expect(failure).rejects.toMatchObject({ name });
    await expect(failure).rejects.toThrow(`GET /api/v1/nodes/n: ${status} said why`);
  });
});

describe("what the VPC CNI resolved", () => {
  const endpoint = (name: string, ...namespaces: readonly string[]) => ({
    metadata: { name },
    spec: {
      policyRef: { name },
      podSelectorEndpoints: namespaces.map((namespace) => ({ namespace, name: "pod" })),
    },
  });
  const listed = (...items: readonly unknown[]) => ({ status: 200, body: { items } });

  test("is held where it concerns the namespace, and not of every other open case", async () => {
    const { api } = prepare(
      listed(endpoint("own", "payments")),
      listed(endpoint("wide", "shop", "payments"), endpoint("other", "shop"), endpoint("nobody")),
    );

    const found = await api.policyEndpoints("payments", [
      "PolicyEndpoint",
      "ClusterPolicyEndpoint",
    ]);

    expect(found.map(({ metadata }) => metadata.name)).toEqual(["own", "wide", "nobody"]);
  });
});

/** As the API server says it, where the name is another object's by now. */
const ANOTHER =
  'pods "cart-1" conflicts: the UID in the precondition (uid-1) does not match the UID in record (uid-2). The object might have been deleted and then recreated';

describe("evicting", () => {
  const CART = { namespace: "payments", name: "cart-1", uid: "uid-1" };

  test("names the UID, so that a successor of the same name stays", async () => {
    const { api, asked } = prepare({ status: 201, body: {} });

    expect(await api.evict(CART)).toBeNull();
    expect(asked[0]).toMatchObject({
      path: "/api/v1/namespaces/payments/pods/cart-1/eviction",
      body: { content: { kind: "Eviction", deleteOptions: { preconditions: { uid: "uid-1" } } } },
    });
  });

  const because = (reason: string, message = "said why") => ({
    ...{ details: { causes: [{ reason }] }, message },
  });
  const WEBHOOK = 'admission webhook "drain.example.com" denied the request: moved by its operator';
  const POLICY_SAYS = "ValidatingAdmissionPolicy 'keep' with binding 'keep' denied request: stays";
  const TWO =
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";

  test.each([
    ["a pod that is gone as evicted", 404, {}, null],
    ["another pod of its name as evicted", 409, { message: ANOTHER }, null],
    ["a namespace that ends as evicted", 403, because("NamespaceTerminating"), null],
    ["a budget with nothing left as a refusal", 429, because("DisruptionBudget"), "said why"],
    ["two budgets as a refusal", 500, { message: TWO }, TWO],
    ["a webhook that says no as a refusal", 500, { message: WEBHOOK }, WEBHOOK],
    ["a webhook that says later as a refusal", 429, { message: WEBHOOK }, WEBHOOK],
    ["an admission policy that says no as a refusal", 422, { message: POLICY_SAYS }, POLICY_SAYS],
  ])("takes %s", async (_, status, body, answer) => {
    expect(await prepare({ status, body }).api.evict(CART)).toBe(answer);
  });

  test.each([
    [403, "KubernetesForbidden"],
    [409, "KubernetesConflict"],
    [429, "KubernetesThrottled"],
    [500, "KubernetesUnavailable"],
  ])("takes %i of an API server in trouble for its trouble", async (status, name) => {
    const { api } = prepare({ status, body: { message: "too much to do" } });

    await expect(api.evict(CART)).rejects.toMatchObject({ name });
  });
});

describe("patching", () => {
  test("tests the UID in the same request", async () => {
    const { api, asked } = prepare({ status: 200, body: {} });

    expect(await api.patch(POD, LABELS)).toBe(true);
    expect(asked[0]?.body?.content).toEqual([
      { op: "test", path: "/metadata/uid", value: "uid-1" },
      ...LABELS,
    ]);
  });

  test("knows where every kind lies that a plan may patch", async () => {
    const aws = { apiVersion: "networking.k8s.aws/v1alpha1", kind: "ApplicationNetworkPolicy" };
    const { api, asked } = prepare({ status: 200, body: {} });

    expect(await api.patch({ ...POD, ...aws }, LABELS)).toBe(true);
    expect(asked[0]?.path).toBe(
      "/apis/networking.k8s.aws/v1alpha1/namespaces/payments/applicationnetworkpolicies/checkout-1",
    );
  });

  test("tells a successor of the same name from a change that was rejected", async () => {
    const rejected = { status: 422, body: { message: "no" } };
    const pod = (uid: string) => ({ status: 200, body: { metadata: { uid } } });

    expect(await prepare(rejected, pod("uid-2")).api.patch(POD, LABELS)).toBe(false);
    expect(await prepare(rejected, { status: 404, body: {} }).api.patch(POD, LABELS)).toBe(false);
    const gone = { status: 404, body: {} };
    expect(await prepare(gone, gone).api.patch(POD, LABELS)).toBe(false);
    await expect(prepare(gone, pod("uid-1")).api.patch(POD, LABELS)).rejects.toMatchObject({
      name: "KubernetesConflict",
    });
    await expect(prepare(rejected, pod("uid-1")).api.patch(POD, LABELS)).rejects.toMatchObject({
      name: "KubernetesRejected",
    });
  });
});

describe("a policy of our own", () => {
  test("is created only where the name is free, with every field checked", async () => {
    const { api, asked } = prepare(
      { status: 201, body: { metadata: { uid: "u" } } },
      { status: 409, body: {} },
    );

    expect(await api.create(DENIAL)).toBe("u");
    expect(await api.create(DENIAL)).toBeNull();
    expect(asked[0]).toMatchObject({
      method: "POST",
      path: "/apis/networking.k8s.io/v1/namespaces/payments/networkpolicies?fieldValidation=Strict",
    });
  });

  test("is tried again where the API server knows its kind or its namespace for a moment no more", async () => {
    const { api } = prepare({ status: 404, body: { message: "the server could not find it" } });

    await expect(api.create(DENIAL)).rejects.toMatchObject({
      name: "KubernetesUnavailable",
      message: expect.stringContaining("404 the server could not find it"),
    });
  });

  test("takes the place of exactly the one that was read, and keeps its finalizers", async () => {
    const { api, asked } = prepare({ status: 200, body: {} }, { status: 409, body: {} });
    const existing = {
      metadata: { name: "q", uid: "u", resourceVersion: "7", finalizers: ["controller"] },
    };

    expect(await api.replace(DENIAL, existing)).toBe(true);
    expect(await api.replace(DENIAL, existing)).toBe(false);
    expect(asked[0]?.body?.content).toMatchObject({
      metadata: { uid: "u", resourceVersion: "7", finalizers: ["controller"] },
      spec: DENIAL.spec,
    });
  });

  const POLICY = { ...POD, apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy" };

  test("is deleted by its UID, and what bears its name by then is left alone", async () => {
    const { api, asked } = prepare({ status: 409, body: { message: ANOTHER } });

    await api.delete(POLICY);
    expect(asked[0]?.body?.content).toMatchObject({ preconditions: { uid: "uid-1" } });
  });

  test("is not taken for deleted where it only changed at that moment", async () => {
    const { api } = prepare({ status: 409, body: { message: "the object has been modified" } });

    await expect(api.delete(POLICY)).rejects.toMatchObject({ name: "KubernetesConflict" });
  });
});

describe("rights", () => {
  test("are listed in one request, and asked for one by one only where the list lacks them", async () => {
    const { api, asked } = prepare(
      {
        status: 201,
        body: {
          status: {
            resourceRules: [
              { verbs: ["get"], apiGroups: [""], resources: ["pods"] },
              { verbs: ["get"], apiGroups: [""], resources: ["nodes"], resourceNames: ["n1"] },
            ],
          },
        },
      },
      { status: 201, body: { status: { allowed: true } } },
      { status: 201, body: { status: { allowed: false } } },
    );
    const wanted = [
      { verb: "get", group: "", resource: "pods" },
      { verb: "get", group: "", resource: "nodes" },
      { verb: "patch", group: "", resource: "pods" },
    ] as const;

    expect(await api.missing(wanted, "payments")).toEqual([wanted[2]]);
    expect(asked).toHaveLength(3);
  });

  test("of one name or of another namespace are not taken from a list that does not speak of them", async () => {
    const { api, asked } = prepare(
      {
        status: 201,
        body: {
          status: {
            resourceRules: [
              { verbs: ["get"], apiGroups: [""], resources: ["configmaps"], resourceNames: ["a"] },
              { verbs: ["list"], apiGroups: [""], resources: ["pods"] },
            ],
          },
        },
      },
      { status: 201, body: { status: { allowed: false } } },
      { status: 201, body: { status: { allowed: false } } },
    );
    const configMap = (name: string) =>
      ({ verb: "get", group: "", resource: "configmaps", name }) as const;
    const elsewhere = { verb: "list", group: "", resource: "pods", namespace: "other" } as const;

    expect(await api.missing([configMap("a"), configMap("b"), elsewhere], "payments")).toEqual([
      configMap("b"),
      elsewhere,
    ]);
    expect(asked.slice(1).map(({ body }) => body?.content)).toMatchObject([
      { spec: { resourceAttributes: { namespace: "payments", name: "b" } } },
      { spec: { resourceAttributes: { namespace: "other", resource: "pods" } } },
    ]);
  });
});

describe("policies", () => {
  test("of kinds that the API server does not serve are not asked for", async () => {
    const { api, asked } = prepare(
      {
        status: 200,
        body: {
          items: [
            {
              metadata: { name: "networking.k8s.aws" },
              versions: [{ resources: [{ resource: "clusternetworkpolicies" }] }],
            },
          ],
        },
      },
      { status: 200, body: { items: [{ metadata: { name: "a" }, spec: {} }] } },
    );

    const kinds = await api.policyKinds();
    const { clusterNetworkPolicies } = await api.policies("payments", kinds);

    expect(kinds).toEqual(["ClusterNetworkPolicy"]);
    expect(clusterNetworkPolicies).toMatchObject([{ kind: "ClusterNetworkPolicy" }]);
    expect(asked).toHaveLength(2);
  });
});
