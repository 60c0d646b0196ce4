import type { CaseRef } from "../case/case.ts";
import type { NetworkFacts } from "../cluster/network.ts";
import { gather, type MissingSource } from "../context/gather.ts";
import { TRANSIENT_ERRORS, TransientError } from "../errors.ts";
import { artefactKey } from "../evidence/keys.ts";
import type { MissingEvidence } from "../evidence/manifest.ts";
import { keepPods } from "../evidence/pod-pages.ts";
import { redact } from "../evidence/redact.ts";
import type { Before } from "../evidence/schemas/seen.ts";
import type { Artefact } from "../evidence/store.ts";
import type { FirstPage, Pod, Service } from "../kubernetes.ts";
import type { RecordedObject } from "../kubernetes-context.ts";
import type { ClusterFor, Needs, StoreFor } from "../needs.ts";
import { selects } from "../quarantine/selector.ts";
import type { Within } from "../within.ts";
import { describeTarget, type Target } from "./target.ts";

export const SNAPSHOT_BEFORE_NEEDS = {
  kubernetes: {
    reads: ["namespace", "policies", "pod", "podPages"],
    optional: ["services", "endpointSlices"],
  },
  evidence: { writes: ["runs/*/before.json", "runs/*/before-pods-*.json"] },
} as const satisfies Needs;

/** Kept of the time for writing down what was read. */
const WRITING_MS = 500;
/** With less than this left there is no second attempt, so what there is is written. */
const ANOTHER_ATTEMPT_MS = 2_500;

interface Ports {
  readonly kubernetes: ClusterFor<typeof SNAPSHOT_BEFORE_NEEDS>;
  readonly store: StoreFor<typeof SNAPSHOT_BEFORE_NEEDS>;
  readonly within: Within;
  readonly now: () => Date;
}

/**
 * Writes down the target and all that selects it before anything is changed: the namespace, the
 * policies that can concern it, Services and endpoints, which forget the pod with its labels, and the
 * pod, or every pod of a contained namespace. A target that is not there is missing evidence; whether
 * it stops the run is ApplyPolicy's decision.
 *
 * Containment waits for it until `evidenceUntil` and no longer: what was not read by then is missing,
 * and listed.
 *
 * Errors: a transient one of a read, while there is time for another attempt.
 */
export async function snapshotBefore(
  input: {
    readonly case: CaseRef;
    readonly target: Target;
    readonly network: NetworkFacts;
    /** RFC 3339. */
    readonly evidenceUntil: string;
  },
  { kubernetes, store, within, now }: Ports,
): Promise<{
  readonly artefacts: readonly Artefact[];
  readonly missing: readonly MissingEvidence[];
}> {
  const { target, network } = input;
  const { runId } = input.case;
  const { namespace } = target;
  const readUntil = Date.parse(input.evidenceUntil) - WRITING_MS;
  let stoppedAfter: number | null = null;
  /** The pages until the time is up: one that comes later is not written any more. */
  async function* inTime<Kept>(pages: AsyncIterable<readonly Kept[]>) {
    let seen = 0;
    for await (const page of pages) {
      if (now().getTime() >= readUntil) {
        stoppedAfter = seen;
        return;
      }
      seen += page.length;
      yield page;
    }
  }
  const { found, missing } = await gather(
    {
      namespace: () => kubernetes.namespace(namespace),
      policies: () => kubernetes.policies(namespace, network.policyKinds),
      pod: async () =>
        target.kind === "pod" ? await kubernetes.pod(namespace, target.name) : null,
      services: () => kubernetes.services(namespace),
      endpointSlices: () => kubernetes.endpointSlices(namespace),
      podPages: async () => {
        if (target.kind === "pod") return [];
        return keepPods(
          (keep) => inTime(kubernetes.podPages(namespace, keep)),
          { runId, when: "before" },
          store,
          () => {},
        );
      },
    },
    { ms: readUntil - now().getTime(), within },
  );
  const left = Date.parse(input.evidenceUntil) - now().getTime();
  if (left >= ANOTHER_ATTEMPT_MS) throwTransient(missing);
  const all = [...missing, ...absent(target, found, missing), ...stopped(stoppedAfter)];
  const { artefact } = await store.putOnce<Before>(
    artefactKey(runId, "before.json"),
    redact({
      capturedAt: now().toISOString(),
      target,
      namespace: found.namespace,
      policies: found.policies,
      pods: found.pod ? [found.pod] : [],
      services: found.services && concerning(found.services, found.pod),
      endpointSlices: found.endpointSlices && naming(found.endpointSlices, found.pod),
      podPages: found.podPages ?? [],
      missing: all,
    }),
  );
  return { artefacts: [artefact], missing: all.length === 0 ? [] : [summary(all)] };
}

function throwTransient(missing: readonly MissingSource[]): void {
  for (const { source, error, reason } of missing) {
    const name = TRANSIENT_ERRORS.find((each) => each === error);
    if (name) throw new TransientError(name, `${source}: ${reason}`);
  }
}

/** The target itself, where the API server says that it is not there. */
function absent(
  target: Target,
  found: { readonly namespace: unknown; readonly pod: unknown },
  missing: readonly MissingSource[],
): readonly MissingSource[] {
  const source = target.kind;
  if (found[source] || missing.some((each) => each.source === source)) return [];
  return [{ source, error: "NotFound", reason: `${describeTarget(target)} does not exist` }];
}

function stopped(after: number | null): readonly MissingSource[] {
  if (after === null) return [];
  const reason = `stopped after ${after} pods: containment does not wait for evidence`;
  return [{ source: "podPages", error: "OutOfTime", reason }];
}

function summary(missing: readonly MissingSource[]): MissingEvidence {
  const cause = missing.map(({ source, reason }) => `${source}: ${reason}`).join("; ");
  return {
    state: "SnapshotBefore",
    error: missing[0]?.error ?? "OutOfTime",
    cause: cause.slice(0, 500),
  };
}

/** Of a pod those Services that select it; of a namespace all. */
function concerning(services: FirstPage<Service>, pod: Pod | null): FirstPage<Service> {
  if (!pod) return services;
  const labels = pod.metadata.labels ?? {};
  const items = services.items.filter(({ spec: { selector = {} } }) => {
    return Object.keys(selector).length > 0 && selects({ matchLabels: selector }, labels);
  });
  return { ...services, items };
}

/** Of a pod those slices that send to it; of a namespace all. */
function naming(slices: FirstPage<RecordedObject>, pod: Pod | null): FirstPage<RecordedObject> {
  const uid = pod?.metadata.uid;
  if (uid === undefined) return slices;
  return { ...slices, items: slices.items.filter((slice) => JSON.stringify(slice).includes(uid)) };
}
