import { artefactKey } from "../evidence/keys.ts";
import type { EvidenceStore } from "../evidence/store.ts";
import type { Kubernetes, ObjectMeta, Pod, ProjectedToken } from "../kubernetes.ts";
import type { Target } from "../target/target.ts";

/** What leads from a pod to its context and identity: little, for a namespace may have thousands. */
export interface PodBrief {
  readonly name: string;
  readonly uid: string;
  readonly node: string | null;
  readonly serviceAccount: string;
  readonly automount: boolean | null;
  readonly owners: NonNullable<ObjectMeta["ownerReferences"]>;
  readonly containers: readonly { readonly name: string; readonly restarted: boolean }[];
  readonly tokens: readonly ProjectedToken[];
}

export function briefOf({ metadata, spec, status = {} }: Pod): PodBrief {
  const statuses = [
    ...(status.initContainerStatuses ?? []),
    ...(status.containerStatuses ?? []),
    ...(status.ephemeralContainerStatuses ?? []),
  ];
  const restarted = new Set(
    statuses
      .filter(({ restartCount = 0, lastState }) => restartCount > 0 || lastState?.terminated)
      .map(({ name }) => name),
  );
  const all = [
    ...(spec.initContainers ?? []),
    ...spec.containers,
    ...(spec.ephemeralContainers ?? []),
  ];
  return {
    name: metadata.name,
    uid: metadata.uid ?? "",
    node: spec.nodeName ?? null,
    serviceAccount: spec.serviceAccountName ?? "default",
    automount: spec.automountServiceAccountToken ?? null,
    owners: metadata.ownerReferences ?? [],
    containers: all.map(({ name }) => ({ name, restarted: restarted.has(name) })),
    tokens: (spec.volumes ?? []).flatMap(({ projected }) =>
      (projected?.sources ?? []).flatMap(({ serviceAccountToken }) => serviceAccountToken ?? []),
    ),
  };
}

/** The target's pod as SnapshotBefore saw it, with its labels and owner; null if it could not. */
export async function podBefore(
  runId: string,
  uid: string,
  store: Pick<EvidenceStore, "read">,
): Promise<Pod | null> {
  const before = await store.read<{ readonly pods: readonly Pod[] }>(
    artefactKey(runId, "before.json"),
  );
  return before?.document.pods.find(({ metadata }) => metadata.uid === uid) ?? null;
}

/** Every pod of the target that is there now: the proven one, or all of a namespace. */
export async function targetPods(
  target: Target,
  uid: string,
  kubernetes: Pick<Kubernetes, "pod" | "podPages">,
): Promise<readonly PodBrief[]> {
  if (target.kind === "pod") {
    const pod = await kubernetes.pod(target.namespace, target.name);
    return pod?.metadata.uid === uid ? [briefOf(pod)] : [];
  }
  const briefs: PodBrief[] = [];
  for await (const page of kubernetes.podPages(target.namespace, briefOf)) briefs.push(...page);
  return briefs;
}
