import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const MANIFESTS = `
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Pod
    metadata: { name: web, namespace: shop, labels: { app: web } }
    spec: { containers: [{ name: a, ports: [{ name: http, containerPort: 8080 }] }] }
  - { apiVersion: v1, kind: Pod, metadata: { name: db }, spec: { containers: [] } }
---
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: in, namespace: shop }
spec:
  podSelector: { matchLabels: { app: web } }
  ingress:
    - from: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: default } } }]
      ports: [{ port: http }]
    - from: [{ moon: {} }]
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: ignored }
`;
const PODS = JSON.stringify({
  apiVersion: "v1",
  kind: "PodList",
  items: [{ metadata: { name: "done" }, spec: { containers: [] }, status: { phase: "Succeeded" } }],
});

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "reach-"));
  await writeFile(join(folder, "all.yaml"), MANIFESTS);
  await writeFile(join(folder, "pods.json"), PODS);
});

afterAll(() => rm(folder, { recursive: true }));

function run(args: readonly string[], input = "") {
  return new Promise<{ code: unknown; out: string; err: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      ["cli/containment.ts", "reach", ...args],
      (error, out, err) => resolve({ code: error ? error.code : 0, out, err }),
    );
    child.stdin?.end(input);
  });
}

test("says as JSON who reaches a pod and whom it reaches, and what it did not understand", async () => {
  const { code, out } = await run(["--manifests", folder, "--pod", "shop/web", "--json"]);

  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    ingress: [
      { from: "default/db", port: "any", protocol: "any", allowedBy: ["shop/in"] },
      { from: "0.0.0.0/0" },
      { from: "::/0" },
    ],
    isolated: { ingress: true, egress: false },
    unreadable: [{ policy: { name: "in" }, rule: 1, why: "a peer with moon" }],
  });
});

test("says it to people, from standard input", async () => {
  const readable = MANIFESTS.replace("    - from: [{ moon: {} }]\n", "");
  const { out } = await run(["--manifests", "-", "--pod", "shop/web"], readable);

  expect(out).toContain("who may come in\n  TCP 8080, by shop/in\n    default/db\n");
  expect(out).toContain("where it may go (egress is not isolated by any policy)");
});

test.each<[string, string[], string]>([
  ["a pod that is not there", ["--pod", "shop/nobody"], "shop/nobody: it is not among the 0 pods"],
  ["an unknown CNI", ["--pod", "shop/web", "--cni", "flannel"], "vpc, cilium, calico"],
  ["a pod without a namespace", ["--pod", "web"], "it is <namespace>/<name>"],
])("%s is an error", async (_, args, message) => {
  const { code, err } = await run(["--manifests", join(folder, "pods.json"), ...args]);

  expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(message) });
});

test("what cannot be parsed is an error that names file and document", async () => {
  const broken = `${MANIFESTS}---\nkind: [Pod\n`;
  const nameless = "apiVersion: v1\nkind: Pod\nmetadata: { name: 7 }\n";

  const [one, two] = await Promise.all([
    run(["--manifests", "-", "--pod", "shop/web"], broken),
    run(["--manifests", "-", "--pod", "shop/web"], nameless),
  ]);

  expect(one).toMatchObject({
    code: 2,
    err: expect.stringContaining("standard input, document 5: "),
  });
  expect(two).toMatchObject({
    code: 2,
    err: expect.stringContaining("standard input, document 1: metadata.name"),
  });
});
