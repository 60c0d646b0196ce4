import type { Alert } from "../../core/alert/alert.ts";
import { openCase } from "../../core/case/case.ts";
import { freeTarget, provenKey } from "../../core/case/markers.ts";
import type { NetworkFacts } from "../../core/cluster/network.ts";
import { recordRun } from "../../core/evidence/record-run.ts";
import type { Pod } from "../../core/kubernetes.ts";
import { preserveNode } from "../../core/node/preserve-node.ts";
import { applyPolicy } from "../../core/quarantine/apply-policy.ts";
import type { QuarantineSettings } from "../../core/quarantine/settings.ts";
import { snapshotAfter } from "../../core/quarantine/snapshot-after.ts";
import type { DriftSettings } from "../../core/reverify/mend.ts";
import { reapplyPolicy } from "../../core/reverify/reapply-policy.ts";
import { type ReverifyInput, reverifyCase } from "../../core/reverify/reverify-case.ts";
import type { Target } from "../../core/target/target.ts";
import { PROTECTED_LABELS, UNBRAKED } from "./brakes.ts";
import { aPod, type MemoryCluster, memoryCluster } from "./cluster.ts";
import { memoryStore } from "./evidence-store.ts";
import { AN_INSTANCE, memoryInstances } from "./instances.ts";
import { CILIUM, CILIUM_CLUSTER, SETTINGS } from "./quarantine-input.ts";

const BEGIN = Date.parse("2026-11-22T17:55:01.000Z");
const EXECUTION = {
  arn: "arn:aws:states:us-east-1:111122223333:execution:contain:a",
  name: "a",
  startedAt: new Date(BEGIN).toISOString(),
};
const ALERT: Alert = {
  ...{ source: "falco", id: "1", rule: "Terminal shell in container" },
  ...{ severity: "high", detectedAt: "2026-11-22T17:55:00.000Z" },
};

export const THE_POD: Target = {
  ...{ cluster: "prod-eks-1", namespace: "payments", kind: "pod", name: "checkout-1" },
  ...{ uid: null, containerId: null },
};
export const THE_NAMESPACE: Target = {
  ...{ cluster: "prod-eks-1", namespace: "payments", kind: "namespace", name: "payments" },
  uid: null,
};

/** The agent of the CNI on the pod's node. */
export function anAgent(uid: string, daemonSet = "cilium"): Pod {
  const ownerReferences = [{ kind: "DaemonSet", name: daemonSet, uid: "ds", controller: true }];
  const name = `${daemonSet}-${uid}`;
  return aPod({ metadata: { namespace: "kube-system", name, uid, ownerReferences } });
}

/** Everything that a case of a contained target has to do with. */
export interface CaseWorld {
  readonly kubernetes: MemoryCluster;
  readonly store: ReturnType<typeof memoryStore>;
  /** Moves the clock. */
  wait(minutes: number): void;
  readonly now: () => Date;
  readonly marker: string;
  release(): Promise<void>;
}

/**
 * A target that was contained by the states' own functions, in a case that is open and whose run is
 * sealed.
 */
export async function aContainedCase(
  given: {
    readonly target?: Target;
    readonly cluster?: Partial<MemoryCluster["state"]>;
    readonly network?: NetworkFacts;
    readonly settings?: Partial<QuarantineSettings>;
    /** False: the run has not ended. */
    readonly sealed?: boolean;
    /** False: the run ended without having read back. */
    readonly readBack?: boolean;
  } = {},
): Promise<CaseWorld> {
  const { target = THE_POD, network = CILIUM, sealed = true, readBack = true } = given;
  const kubernetes = memoryCluster({
    ...CILIUM_CLUSTER,
    pods: [aPod(), anAgent("agent-1")],
    nodes: [
      {
        metadata: { name: "node-1", uid: "uid-of-node-1" },
        spec: { providerID: "aws:///us-east-1a/i-0123456789abcdef0" },
      },
    ],
    ...given.cluster,
  });
  const store = memoryStore();
  let time = BEGIN;
  const now = () => new Date(time);
  const ports = { kubernetes, store, now };
  const mode = "containment";
  const run = { alert: ALERT, target, mode, reason: "a test", execution: EXECUTION } as const;
  const opened = await openCase({ ...run, event: {} }, store);
  const input = { ...run, case: opened.case };
  const settings = { ...SETTINGS, ...given.settings };
  await applyPolicy(
    { ...input, network, ...UNBRAKED },
    { ...ports, settings, protectedLabels: PROTECTED_LABELS },
  );
  const uid = target.kind === "pod" ? "uid-1" : "uid-of-payments";
  await preserveNode(
    { ...input, ...UNBRAKED, uid, attempt: 0 },
    {
      ...ports,
      instances: memoryInstances({ "i-0123456789abcdef0": { ...AN_INSTANCE } }),
      settings: { cordon: true, protect: true },
    },
  );
  time += 60_000;
  const judged = readBack ? await snapshotAfter(input, ports) : null;
  if (sealed) {
    await recordRun(
      {
        ...input,
        ...{ verdict: judged?.verdict ?? "unverified", reasons: judged?.reasons ?? [] },
        ...{ brakes: [], quarantinedAt: null, artefacts: [], missing: [], notPreserved: [] },
      },
      {
        ...ports,
        announcements: { containmentCompleted: async () => {} },
        productVersion: "0.1.0",
      },
    );
  }
  kubernetes.state.writes = [];
  const wait = (minutes: number) => {
    time += minutes * 60_000;
  };
  const marker = provenKey(target, uid);
  const release = () => freeTarget(target, input.case, store);
  return { kubernetes, store, now, wait, marker, release };
}

let executions = 0;

/** A stage that tells of drift and leaves it at that. */
export const REPORTS: DriftSettings = {
  ...{ onDrift: "report", protectedNamespaces: [], maintenanceWindows: [] },
};

/** An execution that looks at the case: a new one each time, unless it is said which. */
export function lookAt(world: CaseWorld, given: Partial<ReverifyInput & DriftSettings> = {}) {
  executions += 1;
  const settings = { ...REPORTS, ...given };
  return reverifyCase(
    {
      ...{ marker: world.marker, reapplied: null, mend: "scheduled", attempt: 0 },
      execution: anExecution(`reverify-${executions}`),
      ...given,
    },
    { ...world, settings },
  );
}

export function anExecution(name: string) {
  const arn = `arn:aws:states:us-east-1:111122223333:execution:reverify:${name}`;
  return { arn, name, startedAt: new Date(BEGIN).toISOString() };
}

export function putBack(world: CaseWorld, number: number) {
  const execution = anExecution(`reapply-${number}`);
  return reapplyPolicy({ marker: world.marker, number, execution }, world);
}
