/*
 * What the states declare that they need, against what they ask of their ports. That they cannot ask
 * for more is the compiler's to say, except of the kinds that are written and the keys of evidence;
 * that nothing is declared which no way through a state leads to is said here, by going all ways.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { within } from "../adapters/within.ts";
import type { Alert, Mode } from "../core/alert/alert.ts";
import { admitCase } from "../core/brakes/admit-case.ts";
import { openCase, recordIgnored } from "../core/case/case.ts";
import { claimTarget } from "../core/case/claim.ts";
import { recordFailure } from "../core/case/record-failure.ts";
import { authenticate, type ClusterAccess } from "../core/cluster/authenticate.ts";
import { type NetworkFacts, observeNetwork } from "../core/cluster/network.ts";
import { captureContext } from "../core/context/capture-context.ts";
import { recordContext } from "../core/context/record-context.ts";
import { previewCredentials } from "../core/credentials/preview-credentials.ts";
import { recordRun } from "../core/evidence/record-run.ts";
import { drainNode } from "../core/node/drain-node.ts";
import { followSnapshots } from "../core/node/follow-snapshots.ts";
import { preserveNode } from "../core/node/preserve-node.ts";
import { recordDrain } from "../core/node/record-drain.ts";
import { snapshotNodeEbs } from "../core/node/snapshot-node-ebs.ts";
import { applyPolicy, makePlan, PLAN_NEEDS } from "../core/quarantine/apply-policy.ts";
import { completePolicy, type Progress } from "../core/quarantine/complete-policy.ts";
import { denialsOf, type Plan } from "../core/quarantine/plan.ts";
import {
  ORDERS,
  type QuarantineSettings,
  WORKLOAD_RESPONSES,
} from "../core/quarantine/settings.ts";
import { snapshotAfter } from "../core/quarantine/snapshot-after.ts";
import { listOpenCases } from "../core/reverify/list-open-cases.ts";
import { snapshotBefore } from "../core/target/snapshot-before.ts";
import type { Target } from "../core/target/target.ts";
import { STATES, type StateName } from "../functions/contract.ts";
import { NEEDS } from "../functions/needs.ts";
import { memoryAnnouncements } from "./memory/announcements.ts";
import { PROTECTED_LABELS, RELEASED, UNBRAKED } from "./memory/brakes.ts";
import { aPod, type MemoryCluster } from "./memory/cluster.ts";
import { aContainedCase, lookAt, putBack } from "./memory/contained-case.ts";
import { type MemoryStore, memoryStore } from "./memory/evidence-store.ts";
import { memoryIdentities } from "./memory/identities.ts";
import { AN_INSTANCE, memoryInstances } from "./memory/instances.ts";
import { aCluster, OWNERS, type Owner } from "./memory/owned-pod.ts";
import { unpublished } from "./memory/published.ts";
import { CILIUM, SETTINGS, VPC } from "./memory/quarantine-input.ts";
import { declared, recorded, usage } from "./memory/recorded.ts";
import { memoryVolumes } from "./memory/volumes.ts";

const CASE = { id: "c-20261122-0123456789", runId: "20261122T175501123Z-c-20261122-0123456789" };
const EXECUTION = {
  arn: "arn:aws:states:us-east-1:111122223333:execution:contain:a",
  name: "a",
  startedAt: "2026-11-22T17:55:01.000Z",
};
const ALERT: Alert = {
  source: "falco",
  id: "1",
  rule: "Terminal shell in container",
  severity: "low",
  detectedAt: "2026-11-22T17:55:00.000Z",
};
const OPENING = { alert: ALERT, reason: "a test", execution: EXECUTION, event: {} };
const now = () => new Date("2026-11-22T17:55:30.000Z");
const IN_TIME = "2026-11-22T17:55:35.000Z";
const minutesLater = () => new Date("2026-11-22T17:59:30.000Z");

const common = { cluster: "prod-eks-1", namespace: "payments", uid: null };
const POD: Target = { ...common, kind: "pod", name: "checkout-1", containerId: null };
const TARGETS: readonly Target[] = [POD, { ...common, kind: "namespace", name: "payments" }];
const MODES: readonly Mode[] = ["containment", "audit"];

const CALICO: NetworkFacts = {
  ...{ ...CILIUM, cni: "calico" },
  policyKinds: ["NetworkPolicy", "CalicoGlobalNetworkPolicy"],
};
const NETWORKS: readonly NetworkFacts[] = [
  VPC,
  { ...VPC, policyKinds: ["NetworkPolicy", "PolicyEndpoint"] },
  CILIUM,
  CALICO,
];

/** Pods are looked at too. */
const ON_PODS = { ...PROTECTED_LABELS, on: ["namespace", "pod"] } as const;

/** Changes the spec of every policy of the plan's own, or makes one so where there is none. */
async function meddle(plan: Plan, kubernetes: MemoryCluster): Promise<void> {
  for (const denial of denialsOf(plan)) {
    const changed = structuredClone(denial);
    Object.assign(changed.spec, { changed: true });
    const existing = await kubernetes.existing(denial);
    if (existing) await kubernetes.replace(changed, existing);
    else await kubernetes.create(changed);
  }
}

/** What each state asked for on all ways, and people who look at plans. */
const used = {
  ...(Object.fromEntries(STATES.map((state) => [state, usage(NEEDS[state])])) as Record<
    StateName,
    ReturnType<typeof usage>
  >),
  plan: usage(PLAN_NEEDS),
};

/** Everything that was written on all ways. */
const stores: MemoryStore[] = [];

/** These ports for one state, with what it asks of them written down. */
function portsFor(
  state: keyof typeof used,
  kubernetes = aCluster("nobody"),
  store = memoryStore(),
) {
  const { kubernetes: onCluster, store: onStore } = used[state];
  if (!stores.includes(store)) stores.push(store);
  return { kubernetes: recorded(kubernetes, onCluster), store: recorded(store, onStore), now };
}

interface Way {
  readonly network: NetworkFacts;
  readonly target: Target;
  readonly mode: Mode;
  readonly owner: Owner;
  readonly settings: QuarantineSettings;
  /** Whether somebody changes the case's policies before each step. */
  readonly meddled: boolean;
}

function* waysOfQuarantine(): Iterable<Way> {
  const owners = Object.keys(OWNERS) as Owner[];
  for (const network of NETWORKS)
    for (const target of TARGETS)
      for (const mode of MODES)
        for (const owner of owners)
          for (const workload of WORKLOAD_RESPONSES)
            for (const order of ORDERS)
              for (const meddled of [false, true]) {
                const settings: QuarantineSettings = {
                  order: { ...SETTINGS.order, low: order },
                  workload,
                  otherPolicies: { containment: "suspend", audit: "report" },
                  recreateToCutFlows: true,
                };
                yield { network, target, mode, owner, settings, meddled };
              }
}

/** A case that finds out in ApplyPolicy that another one has its target. */
async function joinLate(target: Target): Promise<void> {
  const store = memoryStore();
  const uid = target.kind === "pod" ? "uid-1" : "uid-of-payments";
  const first = { case: CASE, target, execution: { ...EXECUTION, name: "first" } };
  await claimTarget(first, { uid, containerIds: [] }, store);
  const opening = { ...OPENING, target, mode: "containment" } as const;
  const { case: ref } = await openCase(opening, store);
  const ports = portsFor("ApplyPolicy", aCluster("nobody"), store);
  await applyPolicy(
    { ...opening, ...UNBRAKED, case: ref, network: VPC },
    { ...ports, settings: SETTINGS, protectedLabels: PROTECTED_LABELS },
  );
}

/** From ApplyPolicy to SnapshotAfter, as the workflow does it, with one redrive of ApplyPolicy. */
async function quarantine({ network, target, mode, owner, settings, meddled }: Way) {
  const kubernetes = aCluster(owner, network);
  const protectedLabels = meddled ? PROTECTED_LABELS : ON_PODS;
  const store = memoryStore();
  const input = {
    ...{ case: CASE, execution: EXECUTION, alert: ALERT, target, mode, network },
    ...UNBRAKED,
    mode,
  };
  const ports = { ...portsFor("ApplyPolicy", kubernetes, store), settings, protectedLabels };
  const first = await applyPolicy(input, ports);
  const plan = await store.read<Plan>(`runs/${CASE.runId}/plan.json`);
  if (!plan) throw new Error("no plan was kept");
  const disturb = async () => {
    if (meddled && mode === "containment") await meddle(plan.document, kubernetes);
  };
  await disturb();
  await applyPolicy(input, ports);
  let progress: Progress | null = null;
  for (let done = first.outcome !== "applied" || !first.pending; !done; ) {
    await disturb();
    const complete = portsFor("CompletePolicy", kubernetes, store);
    ({ done, progress } = await completePolicy(
      { case: CASE, progress, killSwitch: RELEASED },
      complete,
    ));
  }
  const after = { ...portsFor("SnapshotAfter", kubernetes, store), now: minutesLater };
  await snapshotAfter({ case: CASE }, after);
}

beforeAll(async () => {
  for (const way of waysOfQuarantine()) await quarantine(way);
  for (const target of TARGETS) {
    for (const owner of Object.keys(OWNERS) as Owner[]) {
      const { kubernetes } = portsFor("plan", aCluster(owner));
      await observeNetwork(kubernetes, "ipv4");
      const input = {
        case: CASE,
        alert: ALERT,
        target,
        mode: "containment",
        brakes: [],
        network: VPC,
      } as const;
      await makePlan(input, { kubernetes, settings: SETTINGS, protectedLabels: ON_PODS, now });
    }
    const before = portsFor("SnapshotBefore");
    await snapshotBefore(
      { case: CASE, target, network: VPC, evidenceUntil: IN_TIME },
      { ...before, within },
    );
    await preserve(target);
    await capture(target);
    await open(target);
    for (const network of NETWORKS) await reverify(target, network);
    await joinLate(target);
  }
  await list();
  await recordIgnored({ ...OPENING, alert: null }, portsFor("RecordIgnored").store);
  await check();
  await drain();
}, 60_000); // some hundred quarantines

/** The node; its volumes and, as `vol-data`, one of a claim that is attached nowhere. */
async function preserve(target: Target): Promise<void> {
  const instance = "i-0123456789abcdef0";
  const input = {
    case: CASE,
    target,
    uid: "uid-1",
    mode: "containment",
    attempt: 0,
    killSwitch: RELEASED,
  } as const;
  const settings = { cordon: true, protect: true };
  const instances = recorded(
    memoryInstances({ [instance]: { ...AN_INSTANCE } }),
    used.PreserveNode.other,
  );
  await preserveNode(input, { ...portsFor("PreserveNode"), instances, settings });

  const ec2 = memoryVolumes({ [instance]: ["vol-root"] });
  const volumes = recorded(ec2, used.SnapshotNodeEbs.other);
  const lock = { mode: "governance", retentionDays: 1 } as const;
  const announcements = recorded(memoryAnnouncements(), used.SnapshotNodeEbs.other);
  const forensicAccount = { accountId: "222222222222", region: "eu-west-1" };
  const asking = { ...portsFor("SnapshotNodeEbs"), announcements, forensicAccount };
  await snapshotNodeEbs(input, { ...asking, volumes, lock });
  const followed = recorded(ec2, used.FollowSnapshots.other);
  const { store } = portsFor("FollowSnapshots");
  await followSnapshots({ case: CASE, since: null }, { volumes: followed, store, bound: 0, now });
}

/** A contained pod's node, cordoned, with a neighbour on it that leaves. */
async function drain(): Promise<void> {
  const kubernetes = aCluster("Deployment");
  const store = memoryStore();
  const input = { case: CASE, target: POD, mode: "containment", ...UNBRAKED } as const;
  const settings = { cordon: true, protect: false };
  await applyPolicy(
    { ...input, execution: EXECUTION, alert: ALERT, network: VPC },
    { kubernetes, store, settings: SETTINGS, protectedLabels: PROTECTED_LABELS, now },
  );
  const instances = memoryInstances({});
  await preserveNode(
    { ...input, uid: "uid-1", attempt: 0 },
    { kubernetes, store, instances, settings, now },
  );
  const [pod] = aCluster("Deployment").state.pods;
  const neighbour = { ...pod?.metadata, name: "cart-1", uid: "uid-of-cart-1" };
  kubernetes.state.pods.push(aPod({ metadata: neighbour }));
  const access = { name: "prod-eks-1", endpoint: "https://x", certificateAuthority: "Y2E=" };
  const describe = async (): Promise<ClusterAccess> => ({ ...access, ipFamily: "ipv4" });
  const ports = portsFor("DrainNode", kubernetes, store);
  const drainPorts = {
    ...ports,
    clusters: recorded({ describe }, used.DrainNode.other),
    connect: () => ports.kubernetes,
  };
  const request = {
    ...{ case: CASE, reason: "a test", execution: EXECUTION, cluster: "prod-eks-1" },
    killSwitch: RELEASED,
  };
  await drainNode({ ...request, since: null }, drainPorts);
  const { case: run, artefacts } = await drainNode({ ...request, since: null }, drainPorts);
  const recording = { ...portsFor("RecordDrain", kubernetes, store), productVersion: "0.1.0" };
  await recordDrain({ case: run, artefacts, execution: EXECUTION }, recording);
  // A further run of the case, which is chained to this one.
  const later = { ...run, runId: `${run.runId}-2` };
  await recordDrain({ case: later, artefacts: [], execution: EXECUTION }, recording);
}

/** Context and credentials of the target's pods. */
async function capture(target: Target): Promise<void> {
  const uid = target.kind === "pod" ? "uid-1" : "uid-of-payments";
  const input = { case: CASE, target, uid };
  const cluster = aCluster("Deployment");
  await captureContext(input, { ...portsFor("CaptureContext", cluster), within });
  const identities = recorded(memoryIdentities(), used.PreviewCredentials.other);
  const ports = { ...portsFor("PreviewCredentials", cluster), identities, within };
  await previewCredentials(input, ports);
  const aws = { trail: [], findings: [], nodeProfile: null, auditLog: null, missing: [] };
  await recordContext({ case: CASE, aws }, portsFor("RecordContext"));
}

/** A case and an alert that joins it, and the ends that a run can come to. */
async function open(target: Target): Promise<void> {
  const store = memoryStore();
  const { store: onOpen } = portsFor("OpenCase", undefined, store);
  const another = { ...EXECUTION, arn: `${EXECUTION.arn}b`, name: "b" };
  const opening = { ...OPENING, target, mode: "containment" } as const;
  const limit = { circuitBreaker: { targets: 20, minutes: 10 }, stage: "prod", now };
  const ports = { store: onOpen, ...limit };
  const opened = await admitCase({ ...opening, ...UNBRAKED }, ports);
  await admitCase({ ...opening, ...UNBRAKED }, ports);
  await admitCase({ ...opening, ...UNBRAKED, execution: another }, ports);
  await containNamespace(store);
  await admitCase({ ...opening, ...UNBRAKED }, ports); // run again, it finds the namespace's case
  await recordFailure(
    {
      ...{ execution: EXECUTION, attempt: 0, status: "FAILED", error: "EvidenceDenied" },
      ...{ cause: null, endedAt: null, redrivable: true, notRedrivable: null },
    },
    portsFor("RecordFailure", undefined, store),
  );
  const { event: _, ...run } = opening;
  const announce = { containmentCompleted: async () => {} };
  // Two runs of one case: the second is chained to the first.
  for (const mode of MODES) {
    await recordRun(
      {
        ...{ ...run, mode, verdict: "ignored", reasons: [], brakes: [], quarantinedAt: null },
        ...{ case: { ...opened.case, runId: `${opened.case.runId}-${mode}` }, artefacts: [] },
        missing: [],
        notPreserved: [],
      },
      {
        ...portsFor("RecordRun", undefined, store),
        announcements: recorded(announce, used.RecordRun.other),
        productVersion: "0.1.0",
      },
    );
  }
}

/** An open case that is looked at again, put back after somebody changed it, and looked at again. */
async function reverify(target: Target, network: NetworkFacts): Promise<void> {
  const world = await aContainedCase({
    ...{ target, network, cluster: aCluster("nobody", network).state },
    settings: { otherPolicies: { containment: "suspend", audit: "report" } },
  });
  const again = { ...world, ...portsFor("ReverifyCase", world.kubernetes, world.store) };
  await lookAt(again, { attempt: 3 });
  const [plan] = [...world.store.objects.keys()].filter((key) => key.endsWith("/plan.json"));
  const kept = await world.store.read<Plan>(plan ?? "");
  if (!kept) throw new Error("no plan was kept");
  await meddle(kept.document, world.kubernetes);
  const puttingBack = { ...world, ...portsFor("ReapplyPolicy", world.kubernetes, world.store) };
  await putBack(puttingBack, 1);
  await lookAt(again, { attempt: 3, reapplied: { number: 1, error: null } });
}

const CLUSTER: ClusterAccess = {
  ...{ name: "prod-eks-1", endpoint: "https://x", certificateAuthority: "Y2E=" },
  ipFamily: "ipv4",
};

async function list(): Promise<void> {
  const { store } = portsFor("ListOpenCases");
  await stores.at(-1)?.putOnce("open/prod-eks-1/payments/pod/checkout-1@proven.uid-1.json", {
    ...{ case: CASE, execution: EXECUTION, target: POD },
  });
  const clusters = recorded({ describe: async () => CLUSTER }, used.ListOpenCases.other);
  const pass = { after: null, listed: 0, notVerified: 0 };
  const ports = { store, clusters, clusterName: "prod-eks-1" };
  await listOpenCases({ pass, only: null }, ports);
}

async function containNamespace(store: MemoryStore): Promise<void> {
  const execution = { ...EXECUTION, arn: `${EXECUTION.arn}n`, name: "n" };
  const namespace = TARGETS[1] ?? POD;
  const { case: ref } = await openCase(
    { ...OPENING, target: namespace, mode: "containment", execution },
    store,
  );
  const proven = { uid: "uid-of-payments", containerIds: [] };
  await claimTarget({ case: ref, execution, target: namespace }, proven, store);
}

async function check(): Promise<void> {
  const { kubernetes, store } = portsFor("Authenticate");
  const clusters = recorded({ describe: async () => CLUSTER }, used.Authenticate.other);
  await authenticate(
    { case: CASE, target: POD },
    { clusters, connect: () => kubernetes, store, now },
  );
}

describe("what is declared and what is asked for on all ways are the same", () => {
  test.each(STATES)("of %s", (state) => {
    expect(used[state].asked).toEqual(declared(NEEDS[state]));
  });

  test("of whoever looks at a plan", () => {
    expect(used.plan.asked).toEqual(declared(PLAN_NEEDS));
  });
});

test("what is written on all ways is as the published schemas say", () => {
  const objects = stores.flatMap((store) => [...store.objects]);
  const wrong = objects.flatMap(([key, text]) => unpublished(key, text) ?? []);

  expect([...new Set(wrong)]).toEqual([]);
  expect(objects.length).toBeGreaterThan(1_000);
});

test("the compiler refuses what was not declared", () => {
  const { kubernetes, store }: Parameters<typeof snapshotBefore>[1] = {
    ...portsFor("SnapshotBefore"),
    within,
  };

  // @ts-expect-error SnapshotBefore declares no write
  expect(kubernetes.patch).toBeDefined();
  // @ts-expect-error nor that it reads workloads
  expect(kubernetes.workload).toBeDefined();
  // @ts-expect-error nor that it reads evidence
  expect(store.read).toBeDefined();
});
