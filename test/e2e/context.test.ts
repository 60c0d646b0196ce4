/** What a run captures of its target's context, with a secret planted wherever one can be. */
import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { MANUAL_DETAIL_TYPES } from "../../core/alert/manual.ts";
import type { Permissions } from "../../core/context/permissions.ts";
import type { Credential } from "../../core/credentials/blast-radius.ts";
import { runPrefix } from "../../core/evidence/keys.ts";
import type { RunResult } from "../../core/evidence/record-run.ts";
import { waitFor } from "../../local/wait.ts";
import { core, endOf, request, resultOf, stage, store, verify } from "./harness.ts";
import { aBarePod, openNamespace } from "./quarantine.ts";

const CANARY = `canary${randomUUID().replaceAll("-", "")}`;
const ROLE = "arn:aws:iam::000000000000:role/payments";
/** Each of a kind that can be told from its shape, with the canary where the secret is. */
const SECRETS = [
  `eyJhbGciOiJSUzI1NiJ9.${CANARY}.${CANARY}`,
  `k8s-aws-v1.${CANARY}`,
  `Authorization: Bearer ${CANARY}`,
  `https://s3.amazonaws.com/?X-Amz-Security-Token=${CANARY}&X-Amz-Signature=${CANARY}`,
  `postgres://shop:${CANARY}@database:5432/shop`,
  `DB_PASSWORD=${CANARY}`,
  `{"apiKey": "${CANARY}"}`,
  `-----BEGIN RSA PRIVATE KEY-----\n${CANARY.repeat(2)}\n-----END RSA PRIVATE KEY-----`,
];
const KEY_ID = "AKIAIOSFODNN7CANARY1";
const ALL = [...SECRETS, KEY_ID].join("\n");

const labels = { app: "leaky" };

/** A pod full of secrets, whose container has been restarted once and has printed them all. */
async function leakyPod(): Promise<{ namespace: string; uid: string }> {
  const annotations = { "eks.amazonaws.com/role-arn": ROLE };
  const account = (namespace: string) => ({
    ...{ apiVersion: "v1", kind: "ServiceAccount" },
    metadata: { name: "payments", namespace, annotations },
  });
  await openNamespace("sharing", (other) => [account(other)]);
  const namespace = await openNamespace("leaky", (inside) => [
    account(inside),
    {
      ...{ apiVersion: "v1", kind: "Secret", metadata: { name: "hidden", namespace: inside } },
      stringData: { password: CANARY },
    },
    {
      ...{ apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role" },
      metadata: { name: "reads-secrets", namespace: inside },
      rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"] }],
    },
    {
      ...{ apiVersion: "rbac.authorization.k8s.io/v1", kind: "RoleBinding" },
      metadata: { name: "payments", namespace: inside },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "reads-secrets" },
      subjects: [{ kind: "ServiceAccount", name: "payments", namespace: inside }],
    },
    {
      ...{ apiVersion: "v1", kind: "Service", metadata: { name: "leaky", namespace: inside } },
      spec: { selector: labels, ports: [{ port: 80 }] },
    },
    {
      ...aBarePod(inside, "leaky", {
        automountServiceAccountToken: true,
        serviceAccountName: "payments",
        containers: [
          {
            ...{ name: "app", image: "registry.local/app:1" },
            command: ["serve", "--password", CANARY, `--db=postgres://shop:${CANARY}@database/`],
            args: ["sh", "-c", `export API_TOKEN=${CANARY}; serve`],
            env: [
              { name: "PLAIN", value: CANARY },
              {
                name: "FROM",
                valueFrom: { secretKeyRef: { name: "hidden", key: "password" } },
              },
            ],
            envFrom: [{ secretRef: { name: "hidden" } }],
            livenessProbe: {
              httpGet: { port: 80, httpHeaders: [{ name: "X-Key", value: CANARY }] },
            },
          },
        ],
      }),
      metadata: {
        ...{ name: "leaky", namespace: inside, labels },
        annotations: {
          "kubectl.kubernetes.io/last-applied-configuration": `{"env":"${CANARY}"}`,
          note: ALL,
        },
      },
    },
  ]);
  const uid = await waitFor({ what: "the leaky pod", limitMs: 60_000 }, async () => {
    const { metadata, status } = await core.readNamespacedPod({ namespace, name: "leaky" });
    return status?.podIP ? metadata?.uid : undefined;
  });
  const pod = await core.readNamespacedPodStatus({ namespace, name: "leaky" });
  for (const each of pod.status?.containerStatuses ?? []) each.restartCount = 1;
  await core.replaceNamespacedPodStatus({ namespace, name: "leaky", body: pod });
  const logs = join(dirname(stage.kubeconfig), "logs", namespace, "leaky");
  await mkdir(logs, { recursive: true });
  await writeFile(join(logs, "app.log"), `started\n${ALL}\nserving requests\n`);
  await writeFile(join(logs, "app.previous.log"), `${ALL}\npanic: out of cheese\n`);
  await core.createNamespacedEvent({
    namespace,
    body: {
      metadata: { name: "leaky.1" },
      involvedObject: { kind: "Pod", name: "leaky", namespace, uid },
      ...{ reason: "Unhealthy", message: `probe said ${ALL}`, type: "Warning" },
    },
  });
  return { namespace, uid };
}

describe("the context of a contained pod", () => {
  let result: RunResult;
  let namespace: string;
  const read = async <T>(name: string): Promise<T> => {
    const kept = await store.read<T>(`${runPrefix(result.case.runId)}${name}`);
    if (!kept) throw new Error(`no ${name}`);
    return kept.document;
  };

  beforeAll(async () => {
    const pod = await leakyPod();
    namespace = pod.namespace;
    const detail = { namespace, pod: "leaky", uid: pod.uid, mode: "containment" };
    result = resultOf(await endOf(await request(detail, MANUAL_DETAIL_TYPES.pod)));
  });

  test("is complete, and sealed", async () => {
    expect(result.missing).toEqual([]);
    expect(await verify(result.case.runId)).toMatchObject({ verified: true, problems: [] });
    const context = await read<{ readonly missing: unknown }>("context.json");
    expect(context.missing).toEqual([]);
  });

  test("holds no secret in any artefact, and says where they were", async () => {
    const objects = await store.inspect(runPrefix(result.case.runId));
    for (const { key } of objects) {
      const text = JSON.stringify((await store.read(key))?.document);
      expect(text, key).not.toContain(CANARY);
      expect(text, key).not.toContain(KEY_ID);
    }
    const logs = JSON.stringify(await read("logs-1.json"));
    expect(logs.match(/\[redacted/g)?.length).toBeGreaterThan(2 * SECRETS.length);
  });

  test("holds what the container printed last, and what the one before it did", async () => {
    const { logs } = await read<{
      readonly logs: readonly { readonly previous: boolean; readonly lines: readonly string[] }[];
    }>("logs-1.json");
    const [current, previous] = logs.toSorted((a, b) => Number(a.previous) - Number(b.previous));

    expect(current?.lines.at(-1)).toMatch(/^\d{4}-\S+Z serving requests$/);
    expect(previous?.lines.at(-1)).toMatch(/panic: out of cheese$/);
  });

  test("says what the service account may do", async () => {
    const { permissions } = await read<{ readonly permissions: Permissions }>("context.json");
    const binding = permissions.bindings.find(({ name }) => name === "payments");

    expect(binding).toMatchObject({ kind: "RoleBinding", namespace });
    expect(permissions.roles).toContainEqual({
      ...{ kind: "Role", namespace, name: "reads-secrets" },
      rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"] }],
    });
  });

  test("holds events, nodes, and the Services that selected the pod before it lost its labels", async () => {
    const context = await read<{
      readonly events: { readonly items: readonly { readonly reason: string }[] };
      readonly nodes: readonly { readonly status: { readonly conditions: readonly unknown[] } }[];
    }>("context.json");
    const before = await read<{
      readonly services: { readonly items: readonly { metadata: { name: string } }[] };
    }>("before.json");

    expect(context.events.items.map(({ reason }) => reason)).toContain("Unhealthy");
    expect(context.nodes[0]?.status.conditions.length).toBeGreaterThan(0);
    expect(before.services.items.map(({ metadata }) => metadata.name)).toEqual(["leaky"]);
  });

  test("shows who shares the pod's role, its tokens and its node", async () => {
    const { pods } = await read<{
      readonly pods: readonly { readonly credentials: readonly Credential[] }[];
    }>("credentials.json");
    const credentials = pods[0]?.credentials ?? [];
    const role = credentials.find(({ kind }) => kind === "irsaRole");
    const token = credentials.find(({ kind }) => kind === "serviceAccountToken");
    const node = credentials.find(({ kind }) => kind === "nodeRole");

    expect(role?.identity).toBe(ROLE);
    const accounts = role?.sharedWith.find(({ kind }) => kind === "serviceAccounts");
    expect(accounts?.names).toEqual([expect.stringMatching(/^sharing-.*\/payments$/)]);
    expect(token?.identity).toBe(`system:serviceaccount:${namespace}:payments`);
    expect(node?.sharedWith.find(({ kind }) => kind === "pods")?.unknown).toBe(false);
  });

  test("names what AWS was asked, and what it could not tell", async () => {
    const aws = await read<{
      readonly trail: readonly { readonly about: string }[];
      readonly missing: readonly { readonly state: string }[];
      readonly auditLog: { readonly status: string };
    }>("aws-context.json");

    expect(aws.trail.map(({ about }) => about)).toEqual(["cluster", "node", "role"]);
    expect(aws.auditLog.status).toBe("Complete");
    // GuardDuty is not on in the emulated account.
    expect(aws.missing.map(({ state }) => state)).toEqual(["LookUpFindings"]);
  });
});
