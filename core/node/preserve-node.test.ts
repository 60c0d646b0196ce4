import { describe, expect, test } from "vitest";
import { killedEverywhere } from "../../test/crash-points.ts";
import { ENGAGED, RELEASED } from "../../test/memory/brakes.ts";
import { aPod, memoryCluster } from "../../test/memory/cluster.ts";
import { memoryStore } from "../../test/memory/evidence-store.ts";
import { AN_INSTANCE, type MemoryInstance, memoryInstances } from "../../test/memory/instances.ts";
import type { Mode } from "../alert/alert.ts";
import { PermanentError, TransientError } from "../errors.ts";
import type { Node } from "../kubernetes.ts";
import type { Target } from "../target/target.ts";
import type { PreservationPlan } from "./preservation-plan.ts";
import { preserveNode } from "./preserve-node.ts";

const CASE = { id: "c-1", runId: "r-1" };
const INSTANCE = "i-0123456789abcdef0";
const TARGET: Target = {
  ...{ cluster: "prod-eks-1", namespace: "payments", kind: "pod", name: "checkout-1" },
  ...{ uid: null, containerId: null },
};
const NAMESPACE: Target = { ...TARGET, kind: "namespace", name: "payments", uid: null };
const SETTINGS = { cordon: true, protect: true };
const REASON = "pod payments/checkout-1 is contained (case c-1): keep this node for forensics";

function aNode(labels: Record<string, string> = {}, name = "node-1"): Node {
  return {
    metadata: { name, uid: `uid-of-${name}`, labels, annotations: { kept: "yes" } },
    spec: { providerID: `aws:///us-east-1a/${INSTANCE}` },
  };
}

function prepare({
  node = aNode(),
  instance = {},
}: {
  node?: Node;
  instance?: Partial<MemoryInstance> | null;
} = {}) {
  const kubernetes = memoryCluster({ pods: [aPod()], nodes: [node] });
  const instances = memoryInstances(
    instance === null ? {} : { [INSTANCE]: { ...AN_INSTANCE, ...instance } },
  );
  const store = memoryStore();
  const now = () => new Date("2026-11-22T17:55:00.000Z");
  const ports = { kubernetes, instances, store, settings: SETTINGS, now };
  const act = ({
    target = TARGET,
    mode = "containment" as Mode,
    attempt = 0,
    settings = SETTINGS,
    killSwitch = RELEASED,
  } = {}) =>
    preserveNode(
      { case: CASE, target, uid: "uid-1", mode, attempt, killSwitch },
      { ...ports, settings },
    );
  const read = async <T>(name: string) => (await store.read<T>(`runs/r-1/${name}`))?.document;
  const plan = () => read<PreservationPlan>("preservation-plan.json");
  const result = () => read<Record<string, unknown>>("preservation.json");
  return { ports, kubernetes, instances, store, act, plan, result };
}

/** Undoes the plan of a run, the last step first, as whoever releases the case does. */
async function undo({ steps }: PreservationPlan, { kubernetes, instances }: Prepared) {
  for (const step of steps.toReversed()) {
    if (step.undo.action === "patch") await kubernetes.patch(step.undo.object, step.undo.patch);
    if (step.undo.action !== "setProtection" || "object" in step) continue;
    const instance = instances.state[step.instanceId];
    if (!instance) throw new Error(`${step.instanceId} is gone`);
    const field = step.protection === "scaleIn" ? "protectedFromScaleIn" : "terminationProtected";
    instance[field] = step.undo.to;
  }
}
type Prepared = ReturnType<typeof prepare>;

const everything = ({ kubernetes, instances }: Prepared) =>
  structuredClone([kubernetes.state.nodes, kubernetes.state.pods, instances.state]);

describe("a node under a contained pod", () => {
  test("is cordoned with the reason and kept from every autoscaler, its instance from ending", async () => {
    const { kubernetes, instances, act, result } = prepare();

    const { verdict, notPreserved } = await act();

    expect({ verdict, notPreserved }).toEqual({ verdict: "preserved", notPreserved: [] });
    expect(kubernetes.state.nodes[0]).toMatchObject({
      metadata: {
        annotations: {
          kept: "yes",
          "eks-containment/case": "c-1",
          "eks-containment/reason": REASON,
          "karpenter.sh/do-not-disrupt": "true",
        },
      },
      spec: { unschedulable: true },
    });
    expect(kubernetes.state.pods[0]?.metadata.annotations).toEqual({
      "karpenter.sh/do-not-disrupt": "true",
      "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    });
    expect(instances.state[INSTANCE]).toMatchObject({
      terminationProtected: true,
      protectedFromScaleIn: true,
    });
    expect(await result()).toMatchObject({
      verdict: "preserved",
      results: ["cordon", "keepNode", "scaleIn", "termination", "keepPod"].map((protection) => ({
        ...{ protection, outcome: "done", reason: null },
      })),
    });
  });

  test("is as it was once the plan is undone", async () => {
    const prepared = prepare();
    const { kubernetes } = prepared;
    kubernetes.state.pods = [aPod({ metadata: { annotations: {} } })];
    kubernetes.state.nodes = [{ ...aNode(), spec: { ...aNode().spec, unschedulable: false } }];
    const before = everything(prepared);
    await prepared.act();
    expect(everything(prepared)).not.toEqual(before);

    await undo((await prepared.plan()) ?? expect.fail("no plan"), prepared);

    expect(everything(prepared)).toEqual(before);
  });

  test("that is protected already is left so, by the undo as well", async () => {
    const prepared = prepare({
      node: { ...aNode(), spec: { ...aNode().spec, unschedulable: true } },
      instance: { terminationProtected: true, protectedFromScaleIn: true },
    });
    const { act, plan, result, instances } = prepared;

    await act();
    await undo((await plan()) ?? expect.fail("no plan"), prepared);

    expect(instances.writes).toEqual([]);
    expect(prepared.kubernetes.state.nodes[0]?.spec.unschedulable).toBe(true);
    expect(instances.state[INSTANCE]).toMatchObject({ terminationProtected: true });
    expect(await result()).toMatchObject({
      results: expect.arrayContaining(
        ["scaleIn", "termination"].map((protection) =>
          expect.objectContaining({ protection, outcome: "alreadySo" }),
        ),
      ),
    });
  });

  test("that a later case took over is not opened by the undo of the first", async () => {
    const prepared = prepare();
    await prepared.act();
    const first = (await prepared.plan()) ?? expect.fail("no plan");
    const later = { case: { id: "c-2", runId: "r-2" }, target: TARGET, uid: "uid-1" };
    await preserveNode(
      { ...later, mode: "containment", attempt: 0, killSwitch: RELEASED },
      prepared.ports,
    );

    await expect(undo(first, prepared)).rejects.toThrow("test of /metadata/annotations");

    expect(prepared.kubernetes.state.nodes[0]?.spec.unschedulable).toBe(true);
  });

  test("is not touched while the kill switch holds, and that is said", async () => {
    const { kubernetes, instances, act, plan } = prepare();

    const result = await act({ killSwitch: ENGAGED });

    expect(result).toMatchObject({
      verdict: "audited",
      brakes: [{ brake: "killSwitch", withheld: "protection of the nodes, instances and pods" }],
    });
    expect(kubernetes.state.writes).toEqual([]);
    expect(instances.writes).toEqual([]);
    expect((await plan())?.mode).toBe("audit");
  });

  test("is only looked at by an audit: the plan is the result", async () => {
    const { kubernetes, instances, store, act, plan } = prepare();

    const { verdict } = await act({ mode: "audit" });

    expect(verdict).toBe("audited");
    expect([kubernetes.state.writes, instances.writes]).toEqual([[], []]);
    expect((await plan())?.steps).toHaveLength(5);
    expect([...store.objects.keys()]).toEqual(["runs/r-1/preservation-plan.json"]);
  });

  test("gets what the settings leave on, and the rest is said", async () => {
    const { kubernetes, act, plan } = prepare();

    const { notPreserved } = await act({ settings: { cordon: false, protect: true } });

    expect((await plan())?.steps.map(({ protection }) => protection)).not.toContain("cordon");
    expect(kubernetes.state.nodes[0]?.spec.unschedulable).toBeUndefined();
    expect(notPreserved).toEqual([
      { what: "cordon", reason: "switched off by preservation.cordon" },
    ]);
  });

  test("is written to once, with two pods of the namespace on it", async () => {
    const { kubernetes, instances, act } = prepare();
    kubernetes.state.pods.push(aPod({ metadata: { name: "checkout-2", uid: "uid-2" } }));

    await act({ target: NAMESPACE });

    expect(kubernetes.state.writes).toEqual([
      ...["patch Node node-1", "patch Node node-1"],
      ...["patch Pod checkout-1", "patch Pod checkout-2"],
    ]);
    expect(instances.writes).toEqual([`scaleIn ${INSTANCE}`, `termination ${INSTANCE}`]);
  });
});

describe("what no protection holds back is in the verdict", () => {
  test.each([
    ["a managed node group", { "eks.amazonaws.com/nodegroup": "shop" }, "node auto-repair"],
    ["Karpenter", { "karpenter.sh/nodepool": "default" }, "expireAfter"],
    ["EKS Auto Mode", { "eks.amazonaws.com/compute-type": "auto" }, "Auto Mode"],
  ])("of a node of %s", async (_, labels, reason) => {
    const { verdict, notPreserved } = await prepare({ node: aNode(labels) }).act();

    expect(verdict).toBe("partial");
    expect(notPreserved).toEqual([{ what: "node-1", reason: expect.stringContaining(reason) }]);
  });

  test("of a Spot instance, which is not asked to take termination protection", async () => {
    const { instances, act } = prepare({ instance: { lifecycle: "spot", group: null } });

    const { notPreserved } = await act();

    expect(instances.writes).toEqual([]);
    expect(notPreserved).toEqual([{ what: "node-1", reason: expect.stringContaining("Spot") }]);
  });

  test.each([
    ["Fargate", "aws:///us-east-1a/x/fargate-ip-10-0-1-2", "Fargate"],
    ["a providerID of an unknown form", "gce://project/zone/vm", "names no EC2 instance"],
  ])("of %s: the node is cordoned all the same", async (_, providerID, reason) => {
    const { kubernetes, act } = prepare({ node: { ...aNode(), spec: { providerID } } });

    const { verdict, notPreserved } = await act();

    expect(verdict).toBe("partial");
    expect(notPreserved).toEqual([{ what: "node-1", reason: expect.stringContaining(reason) }]);
    expect(kubernetes.state.nodes[0]?.spec.unschedulable).toBe(true);
  });

  test("of an instance that is gone", async () => {
    const { notPreserved } = await prepare({ instance: null }).act();

    expect(notPreserved).toEqual([
      { what: "node-1", reason: expect.stringContaining("no running instance") },
    ]);
  });

  test("of a node whose object is gone, of a pod without one, and of no pod at all", async () => {
    const gone = prepare();
    gone.kubernetes.state.nodes = [];
    const unscheduled = prepare();
    const { nodeName: _, ...spec } = aPod().spec;
    unscheduled.kubernetes.state.pods = [{ ...aPod(), spec }];
    const successor = prepare();
    successor.kubernetes.state.pods = [aPod({ metadata: { uid: "uid-2" } })];

    for (const [{ act }, reason] of [
      [gone, "the node is gone from the cluster"],
      [unscheduled, "not scheduled to a node"],
      [successor, "no pod of it is there any more"],
    ] as const) {
      const { verdict, notPreserved } = await act();
      expect(verdict).toBe("notPreserved");
      expect(notPreserved).toMatchObject([{ reason }]);
    }
  });
});

describe("a refusal costs none of the rest", () => {
  const denied = new PermanentError("AwsDenied", "denied");

  test("of a right that is missing", async () => {
    const { instances, kubernetes, act } = prepare();
    instances.protectFromTermination = () => Promise.reject(denied);
    kubernetes.state.failNextWrite = {
      write: "patch Node node-1",
      error: new PermanentError("KubernetesForbidden", "may not patch nodes"),
    };

    const { verdict, notPreserved } = await act();

    expect(verdict).toBe("partial");
    expect(notPreserved).toEqual([
      { what: "cordon of node-1", reason: "may not patch nodes" },
      { what: `termination protection of ${INSTANCE}`, reason: "denied" },
    ]);
    expect(instances.state[INSTANCE]?.protectedFromScaleIn).toBe(true);
    expect(kubernetes.state.pods[0]?.metadata.annotations).toBeDefined();
  });

  test("of a look that is denied: what could not be seen is not touched", async () => {
    const { instances, act } = prepare();
    instances.groupOf = () => Promise.reject(denied);

    const { notPreserved } = await act();

    expect(notPreserved).toEqual([{ what: `Auto Scaling group of ${INSTANCE}`, reason: "denied" }]);
    expect(instances.writes).toEqual([`termination ${INSTANCE}`]);
  });

  test("of a service that is not to be reached: tried again, in the end left out", async () => {
    const { instances, act } = prepare();
    const unreachable = new TransientError("AwsUnavailable", "no endpoint");
    instances.groupOf = () => Promise.reject(unreachable);

    await expect(act({ attempt: 2 })).rejects.toBe(unreachable);
    const { verdict } = await act({ attempt: 3 });

    expect(verdict).toBe("partial");
    expect(instances.state[INSTANCE]?.terminationProtected).toBe(true);
  });

  test("of a service that is throttled: the others are given before it is tried again", async () => {
    const { instances, kubernetes, act, result } = prepare();
    const throttled = new TransientError("AwsThrottled", "slow down");
    const protect = instances.protectFromScaleIn;
    instances.protectFromScaleIn = () => Promise.reject(throttled);
    await expect(act()).rejects.toBe(throttled);
    expect(kubernetes.state.pods[0]?.metadata.annotations).toBeDefined();
    instances.protectFromScaleIn = protect;

    await act({ attempt: 1 });

    expect(await result()).toMatchObject({ verdict: "preserved" });
  });

  test("of a node that was replaced between the look and the write", async () => {
    const { kubernetes, act, plan, store } = prepare();
    await act({ mode: "audit" });
    const looked = (await plan()) ?? expect.fail("no plan");
    store.objects.clear();
    await store.putOnce("runs/r-1/preservation-plan.json", { ...looked, mode: "containment" });
    kubernetes.state.nodes = [{ ...aNode(), metadata: { ...aNode().metadata, uid: "another" } }];

    const { verdict, notPreserved } = await act();

    expect(verdict).toBe("partial");
    expect(notPreserved).toMatchObject([
      { what: "cordon of node-1", reason: expect.stringContaining("is gone") },
      { what: "protection from consolidation of node-1" },
    ]);
    expect(kubernetes.state.nodes[0]?.spec.unschedulable).toBeUndefined();
  });
});

test("killed before or after any call, the next run keeps the prior values and protects once", async () => {
  const whole = prepare();
  await whole.act();
  const [plan, result, world] = [await whole.plan(), await whole.result(), everything(whole)];

  const calls = await killedEverywhere(
    prepare,
    (ports) =>
      preserveNode(
        {
          case: CASE,
          target: TARGET,
          uid: "uid-1",
          mode: "containment",
          attempt: 0,
          killSwitch: RELEASED,
        },
        ports,
      ),
    async (prepared, _, killed) => {
      expect(await prepared.plan(), killed).toEqual(plan);
      expect(await prepared.result(), killed).toEqual(result);
      expect(everything(prepared), killed).toEqual(world);
      const { writes } = prepared.kubernetes.state;
      expect(writes, killed).toEqual(whole.kubernetes.state.writes);
      expect(prepared.instances.writes, killed).toEqual(whole.instances.writes);
    },
  );

  const writes = calls.filter((call) => /putOnce|patch|protectFrom/.test(call));
  expect(writes).toEqual([
    "store.putOnce",
    ...["kubernetes.patch", "kubernetes.patch"],
    ...["instances.protectFromScaleIn", "instances.protectFromTermination"],
    "kubernetes.patch",
    "store.putOnce",
  ]);
});
