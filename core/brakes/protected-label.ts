import type { Kubernetes, Labels, ObjectMeta, Pod } from "../kubernetes.ts";
import type { Note } from "../quarantine/notes.ts";
import type { Owner } from "../quarantine/owner.ts";
import type { ProvenTarget } from "../target/prove.ts";
import { type Brake, EVERY_WRITE } from "./brake.ts";

/** On what a protecting label counts; `pod` is the pod itself and its workload's template. */
export const PROTECTABLE = ["namespace", "pod"] as const;

export interface ProtectedLabels {
  /** Each of them protects by itself. */
  readonly labels: Labels;
  readonly on: readonly (typeof PROTECTABLE)[number][];
}

/** Something that bears a protecting label. */
interface Bearer {
  readonly kind: (typeof PROTECTABLE)[number];
  /** As `kubectl` takes it. */
  readonly what: string;
  /** `key=value` */
  readonly label: string;
}

/** What was read of a target that was proven. */
export interface Labelled {
  readonly target: ProvenTarget;
  readonly namespaceLabels: Labels;
  readonly pod: Pod | null;
  readonly owner: Owner;
}

/**
 * Holds where a label protects the target and counts on what bears it. Where it does not count, the
 * plan says that it was seen: whoever can label a pod may be who is to be contained.
 */
export async function protectedLabels(
  { target, namespaceLabels, pod, owner }: Labelled,
  settings: ProtectedLabels,
  kubernetes: Pick<Kubernetes, "podMetadataPages">,
): Promise<{ readonly brake: Brake | null; readonly notes: readonly Note[] }> {
  const { namespace } = target;
  const inNamespace = target.kind === "namespace" && settings.on.includes("pod");
  const bearers = [
    ...bearing("namespace", `namespace ${namespace}`, namespaceLabels, settings),
    ...(pod ? bearing("pod", nameOf(pod), pod.metadata.labels, settings) : []),
    ...("workload" in owner
      ? bearing(
          "pod",
          `the pod template of ${owner.kind} ${owner.workload.metadata.name}`,
          owner.workload.spec.template?.metadata?.labels,
          settings,
        )
      : []),
    ...(inNamespace ? await firstIn(kubernetes.podMetadataPages(namespace), settings) : []),
  ];
  const counting = bearers.find(({ kind }) => settings.on.includes(kind));
  return {
    brake: counting ? brakeOf(counting, namespace) : null,
    notes: bearers
      .filter(({ kind }) => !settings.on.includes(kind))
      .map(({ what, label }) => ({
        code: "notProtected",
        message: `${what} bears ${label}, which protects ${settings.on.join(" and ")} only: somebody may have meant to escape`,
      })),
  };
}

function bearing(
  kind: Bearer["kind"],
  what: string,
  labels: Labels = {},
  settings: ProtectedLabels,
): readonly Bearer[] {
  return Object.entries(settings.labels)
    .filter(([key, value]) => labels[key] === value)
    .map(([key, value]) => ({ kind, what, label: `${key}=${value}` }));
}

/** The first pod of a namespace that is protected: to cut off the namespace is to cut it off. */
async function firstIn(
  pages: AsyncIterable<readonly { readonly metadata: ObjectMeta }[]>,
  settings: ProtectedLabels,
): Promise<readonly Bearer[]> {
  for await (const page of pages) {
    for (const pod of page) {
      const found = bearing("pod", nameOf(pod), pod.metadata.labels, settings);
      if (found.length > 0) return found;
    }
  }
  return [];
}

function nameOf({ metadata }: { readonly metadata: ObjectMeta }): string {
  return `pod ${metadata.name}`;
}

function brakeOf({ kind, what, label }: Bearer, namespace: string): Brake {
  const key = label.slice(0, label.indexOf("="));
  return {
    brake: "protectedLabel",
    withheld: EVERY_WRITE,
    why: `${what} bears ${label}. Find out who put it there`,
    lift:
      kind === "namespace"
        ? `kubectl label namespace ${namespace} ${key}-`
        : `take label ${key} off ${what}, or pod out of response.protectedLabels.on and deploy`,
  };
}
