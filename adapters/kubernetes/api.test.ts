import { describe, expect, test } from "vitest";
import { kubernetesApi } from "./api.ts";
import type { ApiAnswer, ApiRequest } from "./transport.ts";

/** The API behind a transport that answers by the book and keeps what it was asked. */
function prepare(...answers: readonly ApiAnswer[]) {
  const asked: ApiRequest[] = [];
  const queue = [...answers];
  const api = kubernetesApi(async (request) => {
    asked.push(request);
    return queue.shift() ?? { status: 500, body: { message: "asked too often" } };
  });
  return { api, asked };
}

const POD = { namespace: "payments", name: "checkout-1", uid: "uid-1" };

describe("reading", () => {
  test("follows a list to its last page", async () => {
    const { api, asked } = prepare(
      { status: 200, body: { items: [{ id: 1 }], metadata: { continue: "next page" } } },
      { status: 200, body: { items: [{ id: 2 }], metadata: {} } },
    );

    expect(await api.pods("payments")).toHaveLength(2);
    expect(asked[1]?.path).toContain("&continue=next%20page");
  });

  test("answers null for what is not there", async () => {
    expect(await prepare({ status: 404, body: {} }).api.pod("payments", "gone")).toBeNull();
  });

  test.each([
    [401, "KubernetesUnauthorized"],
    [403, "KubernetesForbidden"],
    [409, "KubernetesConflict"],
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

describe("replacing a pod's labels", () => {
  test("tests the UID in the same request", async () => {
    const { api, asked } = prepare({ status: 200, body: {} });

    expect(await api.replacePodLabels(POD, { a: "b" })).toBe(true);
    expect(asked[0]?.body?.content).toEqual([
      { op: "test", path: "/metadata/uid", value: "uid-1" },
      { op: "add", path: "/metadata/labels", value: { a: "b" } },
    ]);
  });

  test("tells a successor of the same name from labels that were rejected", async () => {
    const rejected = { status: 422, body: { message: "no" } };
    const pod = (uid: string) => ({ status: 200, body: { metadata: { uid } } });

    expect(await prepare(rejected, pod("uid-2")).api.replacePodLabels(POD, {})).toBe(false);
    expect(await prepare(rejected, { status: 404, body: {} }).api.replacePodLabels(POD, {})).toBe(
      false,
    );
    await expect(
      prepare(rejected, pod("uid-1")).api.replacePodLabels(POD, {}),
    ).rejects.toMatchObject({ name: "KubernetesRejected" });
  });
});
