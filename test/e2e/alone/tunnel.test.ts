/**
 * The way of a person into the private cluster, from a machine as `operator-machine.ts` makes it. Alone:
 * the machine is a node, and its person may do everything.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import { eksClusters } from "../../../adapters/aws/eks-clusters.ts";
import { copiesOf } from "../../../cli/images.ts";
import { openTunnel } from "../../../cli/tunnel/tunnel.ts";
import { manifestsOf, WORKLOADS } from "../../../cli/workloads.ts";
import { freePorts } from "../../../local/ports.ts";
import { waitFor } from "../../../local/wait.ts";
import { type Ended, endOfProgram } from "../../programs.ts";
import { aws, core, rbac, stage } from "../harness.ts";
import { type OperatorMachine, startOperatorMachine } from "../operator-machine.ts";

const root = join(import.meta.dirname, "../../..");
/** What AmazonEKSClusterAdminPolicy gives on EKS; the emulated EKS only records it. */
const administrator = "tunnel-test-administrator";

let machine: OperatorMachine;
let folder: string;
let environment: Record<string, string>;

beforeAll(async () => {
  machine = await startOperatorMachine();
  ({ folder, environment } = machine);
  await rbac.createClusterRoleBinding({
    body: {
      metadata: { name: administrator },
      roleRef: {
        apiGroup: "rbac.authorization.k8s.io",
        kind: "ClusterRole",
        name: "cluster-admin",
      },
      subjects: [
        { apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "containment-readers" },
      ],
    },
  });
}, 600_000);

afterAll(async () => {
  await rbac.deleteClusterRoleBinding({ name: administrator });
  for (const name of WORKLOADS) await core.deleteNamespace({ name });
  await machine.stop();
});

const command = (...rest: string[]) => [
  join(root, "cli/containment.ts"),
  ...["tunnel", "--stage", "local", ...rest],
];

/** `containment tunnel …` to its end. */
function tunnel(...rest: string[]): Promise<Ended> {
  return endOfProgram(process.execPath, command(...rest), { env: environment });
}

const Session = z.object({
  pid: z.number(),
  target: z.string(),
  "document-name": z.string(),
  parameters: z.object({ host: z.array(z.string()), localPortNumber: z.array(z.string()) }),
});

/** The session that was opened last. */
function lastSession(): z.infer<typeof Session> {
  const [line = ""] = readFileSync(join(folder, "sessions"), "utf8").trim().split("\n").slice(-1);
  return Session.parse(JSON.parse(line));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("a command reaches the cluster as the person, and no session is left behind", async () => {
  const { code, out, err } = await tunnel("--", "kubectl", "auth", "whoami", "-o", "json");

  expect({ code, err }).toMatchObject({ code: 0 });
  expect(JSON.parse(out).status.userInfo).toMatchObject({
    username: "arn:aws:iam::000000000000:root",
    groups: expect.arrayContaining(["containment-readers"]),
  });
  expect(lastSession()).toMatchObject({
    target: expect.stringMatching(/^i-/),
    "document-name": "AWS-StartPortForwardingSessionToRemoteHost",
    parameters: { host: ["127.0.0.1"] },
  });
  expect(isAlive(lastSession().pid)).toBe(false);
});

test("the command's exit code is the tunnel's, and the kubeconfig ends with it", async () => {
  const { code, out } = await tunnel("--", "sh", "-c", "echo $KUBECONFIG; exit 7");

  expect(code).toBe(7);
  expect(out).toMatch(/kubeconfig$/m);
  expect(existsSync(dirname(out.trim()))).toBe(false);
});

test("a session that breaks ends the command, and says so", async () => {
  const killsItsSession = `kill $(tail -n 1 $AWS_SESSIONS | sed 's/.*"pid":\\([0-9]*\\).*/\\1/'); exec sleep 300`;

  const { code, err } = await tunnel("--", "sh", "-c", killsItsSession);

  expect(code).toBe(2);
  expect(err).toMatch(/the session to i-\w+ ended with 143/);
});

test("a server that is not the cluster's is not spoken to", async () => {
  const { certificateAuthority } = await eksClusters(aws).describe(stage.clusterName);
  const endpoint = `https://127.0.0.1:${machine.kubeletPort}`; // it has a certificate of its own

  const opened = openTunnel({
    cluster: { name: stage.clusterName, region: aws.region, endpoint, certificateAuthority },
    instanceId: "i-0123456789abcdef0",
    environment,
    terminate: async () => {},
    signal: new AbortController().signal,
  });

  await expect(opened).rejects.toThrow(`what answers is not ${endpoint}`);
  expect(isAlive(lastSession().pid)).toBe(false);
});

test("the workloads are applied through the tunnel, and the cluster takes them as restricted", async () => {
  await applyWorkloads();

  const pods = await Promise.all(WORKLOADS.map(podOf));
  expect(pods.map(({ spec }) => spec?.containers[0]?.image)).toEqual([
    image("uptime-kuma"),
    image("busybox"),
  ]);
  for (const namespace of WORKLOADS) {
    const privileged = {
      name: "shell",
      image: image("busybox"),
      securityContext: { privileged: true },
    };
    const body = { metadata: { name: "shell" }, spec: { containers: [privileged] } };
    await expect(core.createNamespacedPod({ namespace, body }), namespace).rejects.toMatchObject({
      code: 403,
      body: expect.stringContaining('violates PodSecurity \\"restricted:latest\\"'),
    });
  }
});

test("Uptime Kuma is on localhost until Ctrl-C, which ends both halves of the way", async () => {
  await runUptimeKuma();
  const [port = 0] = await freePorts(1);
  const shown = startTunnel("--port", String(port));

  expect(await shown.says("Uptime Kuma: ")).toContain(`http://localhost:${port}`);
  const answer = await fetch(`http://localhost:${port}/`, { redirect: "manual" });
  expect(answer.headers.get("location")).toBe("/setup");
  shown.process.kill("SIGINT");

  expect(await shown.ended).toBe(0);
  expect(isAlive(lastSession().pid)).toBe(false);
  await expect(fetch(`http://localhost:${port}/`)).rejects.toThrow("fetch failed");
});

test("a session that breaks ends the port forward too, and says why", async () => {
  await runUptimeKuma();
  const [port = 0] = await freePorts(1);
  const shown = startTunnel("--port", String(port));
  await shown.says("Uptime Kuma: ");

  process.kill(lastSession().pid);

  expect(await shown.ended).toBe(2);
  expect(shown.complaints()).toMatch(/the session to i-\w+ ended with|port-forward ended with/);
  await expect(fetch(`http://localhost:${port}/`)).rejects.toThrow("fetch failed");
});

test("a taken port and a missing program are said before a session is opened", async () => {
  const before = readFileSync(join(folder, "sessions"), "utf8");
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void taken.close());
  const address = taken.address();
  const port = typeof address === "object" ? address?.port : undefined;

  const refused = await tunnel("--port", String(port));
  const without = await endOfProgram(process.execPath, command(), {
    env: { ...environment, PATH: dirname(process.execPath) },
  });

  expect(refused).toMatchObject({
    code: 2,
    err: expect.stringContaining(`port ${port} of 127.0.0.1 is taken`),
  });
  expect(without.code).toBe(2);
  expect(without.err).toMatch(/- aws: [\s\S]*- session-manager-plugin: [\s\S]*- kubectl: /);
  expect(readFileSync(join(folder, "sessions"), "utf8")).toBe(before);
});

interface ShownTunnel {
  readonly process: ChildProcessByStdio<null, Readable, Readable>;
  readonly ended: Promise<number | null>;
  /** The first line that contains the text. */
  says(text: string): Promise<string>;
  complaints(): string;
}

/** `containment tunnel` that stays open. */
function startTunnel(...rest: string[]): ShownTunnel {
  const process_ = spawn(process.execPath, command(...rest), {
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const complaints: string[] = [];
  process_.stderr.setEncoding("utf8").on("data", (text: string) => complaints.push(text));
  const ended = new Promise<number | null>((resolve) => process_.once("close", resolve));
  const lines = createInterface({ input: process_.stdout });
  onTestFinished(() => void process_.kill());
  return {
    process: process_,
    ended,
    complaints: () => complaints.join(""),
    says: (text) =>
      new Promise((resolve, reject) => {
        lines.on("line", (line) => line.includes(text) && resolve(line));
        ended.then((code) => reject(new Error(`ended with ${code}: ${complaints.join("")}`)));
      }),
  };
}

const digest = `sha256:${"1234567890abcdef".repeat(4)}`;
const registry = "000000000000.dkr.ecr.us-east-1.amazonaws.com/local-eks-containment";
const image = (name: string) => `${registry}/${name}@${digest}`;

let applied: Promise<void> | undefined;

/** As the documentation says: printed, and applied through the tunnel. */
function applyWorkloads(): Promise<void> {
  applied ??= applyOnce();
  return applied;
}

async function applyOnce(): Promise<void> {
  const copies = copiesOf({ "uptime-kuma": `a@${digest}`, busybox: `b@${digest}` }, registry);
  for (const workload of WORKLOADS) {
    const file = join(folder, `${workload}.yaml`);
    await writeFile(file, await manifestsOf(workload, copies));
    const { code, err } = await tunnel("--", "kubectl", "apply", "--server-side", "-f", file);
    expect({ code, err }).toEqual({ code: 0, err: expect.not.stringContaining("Warning") });
  }
}

/** The pod that the workload's Deployment made, which it cannot where admission refuses it. */
function podOf(namespace: string) {
  return waitFor({ what: `a pod of ${namespace}`, limitMs: 30_000 }, async () => {
    const { items } = await core.listNamespacedPod({ namespace });
    return items[0];
  });
}

/** Puts the pod onto the node with the kubelet: here is no driver that would make its volume. */
async function runUptimeKuma(): Promise<void> {
  await applyWorkloads();
  const { metadata, spec } = await podOf("uptime-kuma");
  const name = metadata?.name ?? "";
  if (spec?.nodeName) return;
  await core.createNamespacedPodBinding({
    ...{ name, namespace: "uptime-kuma" },
    body: { metadata: { name }, target: { kind: "Node", name: machine.nodeName } },
  });
  await waitFor({ what: "Uptime Kuma to run", limitMs: 30_000 }, async () => {
    const pod = await core.readNamespacedPod({ name, namespace: "uptime-kuma" });
    return pod.status?.phase === "Running" || undefined;
  });
}
