import type { Mode } from "../alert/alert.ts";
import type { CaseRef } from "../case/case.ts";
import { PermanentError } from "../errors.ts";
import { artefactKey } from "../evidence/keys.ts";
import type { NodeArtefact, VolumesArtefact } from "../evidence/schemas/seen.ts";
import type { Artefact } from "../evidence/store.ts";
import type { Pod } from "../kubernetes.ts";
import type { ClusterFor, Needs, StoreFor } from "../needs.ts";
import { describeTarget, type Target } from "../target/target.ts";
import { machineOf } from "./provider-id.ts";

export interface Snapshot {
  readonly snapshotId: string;
  readonly volumeId: string;
  readonly state: string;
}

export type Tags = Readonly<Record<string, string>>;

/**
 * EC2 as far as snapshots need it. Errors: `AwsUnavailable`, `AwsThrottled` (also EC2's own limit on
 * snapshots of one volume: wait 15 s), `AwsDenied`, and `SnapshotRefused` for what EC2 will never
 * snapshot.
 */
export interface Volumes {
  /** EBS volumes of each instance that exists, in the order of its device mappings. */
  attachedTo(instanceIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Snapshots that carry the case's tag. */
  snapshotsOf(caseId: string): Promise<readonly Snapshot[]>;
  /** One crash-consistent set over all volumes of the instance. */
  snapshotInstance(instanceId: string, tags: Tags): Promise<readonly Snapshot[]>;
  snapshotVolume(volumeId: string, tags: Tags): Promise<Snapshot>;
}

export const SNAPSHOT_NODE_EBS_NEEDS = {
  kubernetes: { reads: ["pod", "podPages", "node", "persistentVolumeClaim", "persistentVolume"] },
  evidence: { writes: ["runs/*/node.json", "runs/*/volumes.json"] },
  volumes: ["attachedTo", "snapshotsOf", "snapshotInstance", "snapshotVolume"],
} as const satisfies Needs;

type Cluster = ClusterFor<typeof SNAPSHOT_NODE_EBS_NEEDS>;

/** Something that could not be preserved, and why. */
export interface NotPreserved {
  readonly what: string;
  readonly reason: string;
}

interface NodeRecord {
  readonly node: string;
  readonly instanceId: string | null;
  readonly pods: readonly string[];
  readonly volumeIds: readonly string[];
}

interface Claim {
  readonly pod: string;
  readonly claim: string;
  readonly volumeId: string;
}

/** The tags by which an investigator finds a snapshot, and by which it is never made twice. */
export const CASE_TAG = "CaseID";

/**
 * Preserves the disks under the target: pod to node to instance to volumes, and pod to claim to
 * volume, each in a snapshot tagged with the case. Neither call of EC2 takes a client token, so what
 * this case already has is looked up first and only the rest is made. In audit mode nothing is made
 * and the volumes are listed.
 */
export async function snapshotNodeEbs(
  input: {
    readonly case: CaseRef;
    readonly target: Target;
    /** UID of the proven target. */
    readonly uid: string;
    readonly mode: Mode;
  },
  ports: {
    readonly kubernetes: Cluster;
    readonly volumes: Volumes;
    readonly store: StoreFor<typeof SNAPSHOT_NODE_EBS_NEEDS>;
    readonly now: () => Date;
  },
): Promise<{ readonly snapshots: number; readonly artefacts: readonly Artefact[] }> {
  const { kubernetes, volumes, store, now } = ports;
  const { target, mode } = input;
  const pods = await targetPods(target, input.uid, kubernetes);
  const nodes = await locate(pods, kubernetes, volumes);
  const claims = await claimsOf(pods, kubernetes);
  const notPreserved = [...nodes.notPreserved, ...claims.notPreserved];
  if (pods.length === 0) {
    notPreserved.push({ what: describeTarget(target), reason: "no pod of it is there any more" });
  }
  const nodeArtefact = await store.putOnce<NodeArtefact>(
    artefactKey(input.case.runId, "node.json"),
    {
      capturedAt: now().toISOString(),
      nodes: nodes.found,
      claims: claims.found,
    },
  );
  const snapshots =
    mode === "audit"
      ? []
      : await ensureSnapshots(input, nodes.found, claims.found, volumes, notPreserved);
  const volumesArtefact = await store.putOnce<VolumesArtefact>(
    artefactKey(input.case.runId, "volumes.json"),
    {
      capturedAt: now().toISOString(),
      mode,
      volumeIds: allVolumes(nodes.found, claims.found),
      snapshots,
      notPreserved,
    },
  );
  return {
    snapshots: snapshots.length,
    artefacts: [nodeArtefact.artefact, volumesArtefact.artefact],
  };
}

async function targetPods(
  target: Target,
  uid: string,
  kubernetes: Cluster,
): Promise<readonly Pod[]> {
  if (target.kind === "namespace") {
    const pods: Pod[] = [];
    for await (const page of kubernetes.podPages(target.namespace)) pods.push(...page.map(slim));
    return pods;
  }
  const pod = await kubernetes.pod(target.namespace, target.name);
  return pod?.metadata.uid === uid ? [pod] : [];
}

/** What leads to a pod's volumes, and nothing else: a namespace may have thousands of pods. */
function slim({ metadata, spec }: Pod): Pod {
  const { name, namespace = "" } = metadata;
  const { nodeName, volumes } = spec;
  return {
    metadata: { name, namespace },
    spec: { containers: [], ...(nodeName && { nodeName }), ...(volumes && { volumes }) },
  };
}

async function locate(
  pods: readonly Pod[],
  kubernetes: Cluster,
  volumes: Volumes,
): Promise<{ found: NodeRecord[]; notPreserved: NotPreserved[] }> {
  const podsOnNode = Map.groupBy(pods, (pod) => pod.spec.nodeName ?? "");
  const notPreserved: NotPreserved[] = [];
  const located: Omit<NodeRecord, "volumeIds">[] = [];
  for (const [name, onNode] of podsOnNode) {
    const names = onNode.map((pod) => pod.metadata.name);
    if (name === "") {
      notPreserved.push({ what: names.join(", "), reason: "not scheduled to a node" });
      continue;
    }
    const machine = machineOf((await kubernetes.node(name))?.spec.providerID);
    if (machine.kind === "none") notPreserved.push({ what: name, reason: machine.reason });
    const instanceId = machine.kind === "instance" ? machine.instanceId : null;
    located.push({ node: name, instanceId, pods: names });
  }
  const instanceIds = located.flatMap(({ instanceId }) => instanceId ?? []);
  const attached = await volumes.attachedTo(instanceIds);
  const found = located.map((node) => {
    const volumeIds = node.instanceId === null ? [] : attached.get(node.instanceId);
    if (!volumeIds) notPreserved.push({ what: node.node, reason: "EC2 knows no such instance" });
    return { ...node, volumeIds: volumeIds ?? [] };
  });
  return { found, notPreserved };
}

async function claimsOf(
  pods: readonly Pod[],
  kubernetes: Cluster,
): Promise<{ found: Claim[]; notPreserved: NotPreserved[] }> {
  const found: Claim[] = [];
  const notPreserved: NotPreserved[] = [];
  for (const { metadata, spec } of pods) {
    const names = (spec.volumes ?? []).flatMap(
      ({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? [],
    );
    for (const claim of names) {
      const bound = await kubernetes.persistentVolumeClaim(metadata.namespace ?? "", claim);
      const volumeName = bound?.spec.volumeName;
      const csi = volumeName && (await kubernetes.persistentVolume(volumeName))?.spec.csi;
      if (csi && csi.driver === "ebs.csi.aws.com") {
        found.push({ pod: metadata.name, claim, volumeId: csi.volumeHandle });
      } else {
        notPreserved.push({ what: `claim ${claim}`, reason: "not bound to an EBS volume" });
      }
    }
  }
  return { found, notPreserved };
}

function allVolumes(nodes: readonly NodeRecord[], claims: readonly Claim[]): readonly string[] {
  const onNodes = nodes.flatMap(({ volumeIds }) => volumeIds);
  return [...new Set([...onNodes, ...claims.map(({ volumeId }) => volumeId)])];
}

async function ensureSnapshots(
  input: { readonly case: CaseRef; readonly target: Target },
  nodes: readonly NodeRecord[],
  claims: readonly Claim[],
  volumes: Volumes,
  notPreserved: NotPreserved[],
): Promise<readonly Snapshot[]> {
  const { target } = input;
  const tags: Tags = {
    [CASE_TAG]: input.case.id,
    Reason: "Automated_Containment",
    Cluster: target.cluster,
    Namespace: target.namespace,
    ...(target.kind === "pod" && { Pod: target.name }),
  };
  const made = [...(await volumes.snapshotsOf(input.case.id))];
  const isMade = (volumeId: string) =>
    made.some((snapshot) => snapshot.volumeId === volumeId && snapshot.state !== "error");
  // What EC2 refuses (a volume that was deleted meanwhile) must not cost the snapshots of the rest.
  const make = async (what: string, snapshot: () => Promise<readonly Snapshot[]>) => {
    try {
      made.push(...(await snapshot()));
    } catch (error) {
      if (!(error instanceof PermanentError) || error.name !== "SnapshotRefused") throw error;
      notPreserved.push({ what, reason: error.message });
    }
  };
  for (const { node, instanceId, volumeIds } of nodes) {
    if (instanceId === null || volumeIds.length === 0 || volumeIds.some(isMade)) continue;
    await make(instanceId, () => volumes.snapshotInstance(instanceId, { ...tags, Node: node }));
  }
  for (const volumeId of allVolumes(nodes, claims).filter((volume) => !isMade(volume))) {
    await make(volumeId, async () => [await volumes.snapshotVolume(volumeId, tags)]);
  }
  return made;
}
