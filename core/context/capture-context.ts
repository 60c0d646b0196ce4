import type { CaseRef } from "../case/case.ts";
import { artefactKey } from "../evidence/keys.ts";
import type { MissingEvidence } from "../evidence/manifest.ts";
import { redact } from "../evidence/redact.ts";
import type { Artefact } from "../evidence/store.ts";
import type { ObjectMeta, Pod, Workload } from "../kubernetes.ts";
import { WORKLOAD_KINDS } from "../kubernetes.ts";
import type { ClusterFor, Needs, StoreFor } from "../needs.ts";
import { machineOf } from "../node/provider-id.ts";
import type { Target } from "../target/target.ts";
import type { Within } from "../within.ts";
import { eachOf, gather } from "./gather.ts";
import { keepLogs } from "./logs.ts";
import { permissionsOf } from "./permissions.ts";
import { briefOf, type PodBrief, podBefore, targetPods } from "./target-pods.ts";

/** Nothing here is indispensable: what cannot be read is listed as missing. */
export const CAPTURE_CONTEXT_NEEDS = {
  kubernetes: {
    reads: [],
    optional: [
      ...["pod", "podPages", "events", "workload", "serviceAccount", "bindingPages", "role"],
      ...["node", "containerLog"],
    ],
  },
  evidence: {
    writes: ["runs/*/context.json", "runs/*/logs-*.json"],
    reads: ["runs/*/before.json"],
  },
} as const satisfies Needs;

interface Ports {
  readonly kubernetes: ClusterFor<typeof CAPTURE_CONTEXT_NEEDS>;
  readonly store: StoreFor<typeof CAPTURE_CONTEXT_NEEDS>;
  readonly within: Within;
  readonly now: () => Date;
}

/** Until the pods of the target are known; of 5,000 pods it takes a few seconds. */
const PODS_MS = 15_000;
/** For each of the sources after that; logs have bounds of their own, and end before. */
const SOURCE_MS = 35_000;
const MAX_NODES = 50;
const MAX_ACCOUNTS = 50;

export interface Context {
  /** EC2 instances of the target's nodes, for what is asked of AWS. */
  readonly instanceIds: readonly string[];
  readonly serviceAccounts: readonly string[];
  readonly artefacts: readonly Artefact[];
  /** What an investigation can hardly do without. */
  readonly missing: readonly MissingEvidence[];
}

/**
 * Writes down what is gone soon, or what only the API server knows: the pod as it is now, events,
 * its owners, its service account and what that may do, the conditions of its node, and the last
 * lines of its logs. What the quarantine itself changes (labels, Services, endpoints, the owner) is
 * taken from what SnapshotBefore wrote.
 */
export async function captureContext(
  input: { readonly case: CaseRef; readonly target: Target; readonly uid: string },
  ports: Ports,
): Promise<Context> {
  const { kubernetes, store, within, now } = ports;
  const { target, uid } = input;
  const { namespace } = target;
  const { runId } = input.case;
  const first = await gather(
    {
      podBefore: () => podBefore(runId, uid, store),
      pods: () => targetPods(target, uid, kubernetes),
    },
    { ms: PODS_MS, within },
  );
  const before = first.found.podBefore;
  const live = first.found.pods ?? [];
  const pods = live.length > 0 || before === null ? live : [briefOf(before)];
  const accounts = distinct(pods.map(({ serviceAccount }) => serviceAccount));
  const nodes = distinct(pods.flatMap(({ node }) => node ?? []));
  const { found, missing } = await gather(
    {
      pod: async () =>
        target.kind === "pod" ? await podNow(target.name, namespace, uid, kubernetes) : null,
      events: () => kubernetes.events(namespace, target.kind === "pod" ? uid : null),
      owners: async () =>
        target.kind === "pod"
          ? await ownerChain(
              before?.metadata.ownerReferences ?? pods[0]?.owners,
              namespace,
              kubernetes,
            )
          : null,
      serviceAccounts: () =>
        eachOf(accounts.slice(0, MAX_ACCOUNTS), (name) =>
          kubernetes.serviceAccount(namespace, name),
        ),
      permissions: () => permissionsOf(namespace, new Set(accounts), kubernetes),
      nodes: () => eachOf(nodes.slice(0, MAX_NODES), (name) => kubernetes.node(name)),
      logs: () => keepLogs(pods, { namespace, runId }, { kubernetes, store, now }),
    },
    { ms: SOURCE_MS, within },
  );
  const logs = found.logs;
  const allMissing = [...first.missing, ...missing, ...(logs?.missing ?? [])];
  const { artefact } = await store.putOnce(
    artefactKey(runId, "context.json"),
    redact({
      capturedAt: now().toISOString(),
      target,
      uid,
      pods: pods.length,
      ...found,
      logs: logs && { ...logs, missing: undefined },
      leftOut: leftOut({ nodes: nodes.length, accounts: accounts.length }),
      missing: allMissing,
    }),
  );
  const instanceIds = (found.nodes ?? []).flatMap((node) => {
    const machine = machineOf(node?.spec.providerID);
    return machine.kind === "instance" ? [machine.instanceId] : [];
  });
  return {
    instanceIds: instanceIds.slice(0, 1),
    serviceAccounts: accounts.slice(0, 1),
    artefacts: [artefact],
    missing: essential(pods, logs?.pages.length ?? 0, allMissing),
  };
}

async function podNow(
  name: string,
  namespace: string,
  uid: string,
  kubernetes: Pick<Ports["kubernetes"], "pod">,
): Promise<Pod | null> {
  const pod = await kubernetes.pod(namespace, name);
  return pod?.metadata.uid === uid ? pod : null;
}

/** From the pod's controller upwards; references are what whoever made the pod wrote there. */
async function ownerChain(
  references: ObjectMeta["ownerReferences"],
  namespace: string,
  kubernetes: Pick<Ports["kubernetes"], "workload">,
) {
  const chain: { kind: string; name: string; uid: string; object: Workload | null }[] = [];
  let next = references?.find(({ controller }) => controller);
  while (next && chain.length < 3) {
    const { kind, name, uid } = next;
    const known = WORKLOAD_KINDS.find((each) => each === kind);
    const object = known ? await kubernetes.workload(known, namespace, name) : null;
    chain.push({ kind, name, uid, object: object?.metadata.uid === uid ? object : null });
    next = object?.metadata.ownerReferences?.find(({ controller }) => controller);
  }
  return chain;
}

function leftOut({ nodes, accounts }: { readonly nodes: number; readonly accounts: number }) {
  return {
    nodes: Math.max(0, nodes - MAX_NODES),
    serviceAccounts: Math.max(0, accounts - MAX_ACCOUNTS),
  };
}

/** That there was nobody to look at, or not one log to read. */
function essential(
  pods: readonly PodBrief[],
  logPages: number,
  missing: Awaited<ReturnType<typeof gather>>["missing"],
): readonly MissingEvidence[] {
  const lost = missing.filter(({ source }) => /^(pods|logs?|previous log)\b/.test(source));
  const [first] = lost;
  if (!first || (pods.length > 0 && lost.length < logPages)) return [];
  const more = lost.length > 1 ? ` (and ${lost.length - 1} more)` : "";
  const cause = `${first.source}: ${first.reason}${more}`;
  return [{ state: "CaptureContext", error: first.error, cause }];
}

function distinct(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}
