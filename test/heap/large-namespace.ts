/**
 * `node --max-old-space-size=… large-namespace.ts STATE`: a state on a namespace of 5,000 pods of 10 KB,
 * which come as the API server sends them. It runs out of memory where it holds too much of them.
 */

import { listItems } from "../../adapters/kubernetes/list-items.ts";
import { within } from "../../adapters/within.ts";
import { captureContext } from "../../core/context/capture-context.ts";
import { previewCredentials } from "../../core/credentials/preview-credentials.ts";
import { sha256 } from "../../core/evidence/manifest.ts";
import { type EvidenceStore, toBytes } from "../../core/evidence/store.ts";
import type { Kubernetes, Pod } from "../../core/kubernetes.ts";
import { preserveNode } from "../../core/node/preserve-node.ts";
import { applyPolicy } from "../../core/quarantine/apply-policy.ts";
import { snapshotAfter } from "../../core/quarantine/snapshot-after.ts";
import { snapshotBefore } from "../../core/target/snapshot-before.ts";
import type { Target } from "../../core/target/target.ts";
import { PROTECTED_LABELS, UNBRAKED } from "../memory/brakes.ts";
import { aPod, memoryCluster } from "../memory/cluster.ts";
import { memoryIdentities } from "../memory/identities.ts";
import { memoryInstances } from "../memory/instances.ts";
import { CILIUM, CILIUM_CLUSTER, SETTINGS } from "../memory/quarantine-input.ts";

const PODS = 5_000;
const PAGE = 100;
const CHUNK_BYTES = 64 * 1024;

const CASE = { id: "c-1", runId: "run-1" };
const uid = "uid-of-payments";
const target: Target = {
  ...{ kind: "namespace", cluster: "prod-eks-1", namespace: "payments", name: "payments" },
  uid: null,
};
const input = { case: CASE, target, uid, network: CILIUM, mode: "audit", attempt: 0 } as const;
const now = () => new Date();

/** As the API server answers: JSON, a piece at a time. */
async function* podPages<Kept>(_: string, keep: (pod: Pod) => Kept) {
  for (let from = 0; from < PODS; from += PAGE) {
    const pods = Array.from({ length: PAGE }, (_, index) => largePod(from + index));
    const bytes = Buffer.from(JSON.stringify({ metadata: {}, items: pods }));
    const page: Kept[] = [];
    const list = listItems((item) => page.push(keep(item as Pod)));
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      list.write(bytes.subarray(at, at + CHUNK_BYTES));
    }
    list.end();
    yield page;
  }
}

function largePod(index: number): Pod {
  const { metadata, spec } = aPod({ metadata: { name: `app-${index}`, uid: `uid-${index}` } });
  const text = (n: number) =>
    `value ${n} of pod ${index}, as long as many of them are: ${"x".repeat(60)}`;
  const env = Array.from({ length: 40 }, (_, n) => ({ name: `SETTING_${n}`, value: text(n) }));
  const containers = spec.containers.map((container) => ({ ...container, env }));
  const annotations = Object.fromEntries(
    Array.from({ length: 30 }, (_, n) => [`example.com/annotation-${n}`, text(n)]),
  );
  return {
    ...aPod(),
    metadata: { ...metadata, annotations },
    spec: { ...spec, containers },
  };
}

/** The documents that a later state reads; of the others what says which they are. */
function store(): Pick<EvidenceStore, "putOnce" | "read" | "list" | "free"> {
  const kept = new Map<string, string>();
  return {
    async putOnce(key, document) {
      const bytes = toBytes(document);
      if (/\/plan\.json$/.test(key)) kept.set(key, bytes);
      const artefact = {
        key,
        sha256: sha256(bytes),
        size: Buffer.byteLength(bytes),
        versionId: "v",
      };
      return { created: true, document, artefact };
    },
    async read(key) {
      const text = kept.get(key);
      if (text === undefined) return null;
      const artefact = { key, sha256: sha256(text), size: text.length, versionId: "v" };
      return { document: JSON.parse(text), artefact };
    },
    list: async () => [],
    async free() {},
  };
}

const kubernetes: Kubernetes = {
  ...memoryCluster({ ...CILIUM_CLUSTER, nodes: [{ metadata: { name: "node-1" }, spec: {} }] }),
  podPages,
};
const evidence = store();
const ports = { kubernetes, store: evidence, within, now };

const STATES = {
  SnapshotBefore: () => {
    const evidenceUntil = new Date(Date.now() + 600_000).toISOString();
    return snapshotBefore({ ...input, evidenceUntil }, ports);
  },
  PreserveNode: () =>
    preserveNode(
      { ...input, killSwitch: UNBRAKED.killSwitch },
      {
        ...{ ...ports, instances: memoryInstances({}) },
        settings: { cordon: true, protect: true },
      },
    ),
  CaptureContext: () => captureContext(input, ports),
  PreviewCredentials: () => previewCredentials(input, { ...ports, identities: memoryIdentities() }),
  SnapshotAfter: async () => {
    const alert = { detectedAt: now().toISOString(), severity: "low" } as const;
    const execution = { arn: "a", name: "a", startedAt: now().toISOString() };
    await applyPolicy(
      { ...input, ...UNBRAKED, execution, alert },
      { ...ports, settings: SETTINGS, protectedLabels: PROTECTED_LABELS },
    );
    return snapshotAfter(input, ports);
  },
} as const;

const state = process.argv[2] as keyof typeof STATES;
console.log(JSON.stringify(await STATES[state]()));
