import { describe, expect, test } from "vitest";
import { killedEverywhere } from "../../test/crash-points.ts";
import { aPod, aPolicy, networkPolicies } from "../../test/memory/cluster.ts";
import {
  aContainedCase,
  anAgent,
  anExecution,
  type CaseWorld,
  lookAt,
  putBack,
  THE_NAMESPACE,
} from "../../test/memory/contained-case.ts";
import { unpublished } from "../../test/memory/published.ts";
import { VPC } from "../../test/memory/quarantine-input.ts";
import { reapplyPolicy } from "./reapply-policy.ts";
import type { CaseLook } from "./reverify-case.ts";

function judgedIn(look: CaseLook) {
  if (!("record" in look)) throw new Error(`was not judged: ${look.looked}`);
  return { ...look.record, mayReapply: look.mayReapply };
}

const reapply = { onDrift: "reapply" } as const;

/** Somebody takes the policies away and puts the pod's labels back. */
function undone({ kubernetes: { state } }: CaseWorld): void {
  state.policies = networkPolicies();
  state.pods = state.pods.map((pod) =>
    pod.metadata.uid === "uid-1"
      ? { ...pod, metadata: { ...pod.metadata, labels: { app: "checkout" } } }
      : pod,
  );
}

/** One pass of the workflow: a look, and where it may be, a putting back and another look. */
async function pass(world: CaseWorld) {
  const first = judgedIn(await lookAt(world, reapply));
  if (first.mayReapply === null) return first;
  const reapplied = await putBack(world, first.mayReapply);
  return judgedIn(await lookAt(world, { ...reapply, reapplied }));
}

describe("putting a quarantine back", () => {
  test("contains the pod again, by the plan of its own run, and tells so", async () => {
    const world = await aContainedCase();
    await lookAt(world);
    undone(world);

    const after = await pass(world);

    expect(after).toMatchObject({ verdict: "contained", drift: [], news: "holds" });
    expect(after).toMatchObject({ why: "reapplied", reapplications: 1, reapplied: { number: 1 } });
    const caseId = after.case.id;
    expect(world.kubernetes.state.writes).toEqual([
      "patch Pod checkout-1",
      `create NetworkPolicy quarantine-${caseId}`,
      `create CiliumNetworkPolicy quarantine-${caseId}`,
    ]);
    const wrong = [...world.store.objects].flatMap(([key, text]) => unpublished(key, text) ?? []);
    expect(wrong).toEqual([]);
  });

  test("ends after three times, whoever goes on undoing it: then a person is told", async () => {
    const world = await aContainedCase();
    await lookAt(world);
    const passes = [];
    for (let looks = 0; looks < 6; looks++) {
      undone(world);
      passes.push(await pass(world));
    }

    expect(passes.map(({ news }) => news)).toEqual([
      ...["holds", "holds", "holds"],
      ...["drifted", null, null],
    ]);
    expect(passes.at(-1)).toMatchObject({ reapplications: 3, mayReapply: null });
    const kept = [...world.store.objects.keys()].filter((key) => key.includes("/reapplications/"));
    expect(kept).toHaveLength(3);
  });

  test("is not done where the stage only reports, nor for what it cannot mend", async () => {
    const reported = await aContainedCase();
    undone(reported);
    const replaced = await aContainedCase();
    replaced.kubernetes.state.pods = [aPod({ metadata: { uid: "uid-2" } }), anAgent("agent-1")];
    const uncordoned = await aContainedCase();
    uncordoned.kubernetes.state.nodes = [];

    expect(judgedIn(await lookAt(reported)).mayReapply).toBeNull();
    expect(judgedIn(await lookAt(reported, { ...reapply, mend: "no" })).mayReapply).toBeNull();
    expect(judgedIn(await lookAt(reported, reapply)).mayReapply).toBe(1);
    expect(judgedIn(await lookAt(replaced, reapply)).mayReapply).toBeNull();
    expect(judgedIn(await lookAt(uncordoned, reapply)).mayReapply).toBeNull();
  });

  test("waits for the end of a maintenance window, and leaves a namespace alone that is protected since", async () => {
    const world = await aContainedCase();
    undone(world);
    const today = { from: "2026-01-01T00:00:00Z", to: "2027-01-01T00:00:00Z" };

    const inWindow = await lookAt(world, { ...reapply, maintenanceWindows: [today] });
    const byHand = { ...reapply, maintenanceWindows: [today], mend: "byHand" } as const;
    const asked = await lookAt(world, byHand);
    const guarded = await lookAt(world, { ...byHand, protectedNamespaces: ["payments"] });

    const brake = (name: string) => [expect.objectContaining({ brake: name })];
    expect(inWindow).toMatchObject({ mayReapply: null, brakes: brake("maintenanceWindow") });
    expect(asked).toMatchObject({ mayReapply: 1, brakes: [] });
    expect(guarded).toMatchObject({ mayReapply: null, brakes: brake("protectedNamespace") });
    expect(await lookAt(world, reapply)).toMatchObject({ mayReapply: 1, brakes: [] });
  });

  test("starts no rollout again and scales nothing down again", async () => {
    const ownerReferences = [
      { kind: "ReplicaSet", name: "checkout-6d8f", uid: "uid-of-rs", controller: true },
    ];
    const workload = (kind: "ReplicaSet" | "Deployment", name: string, uid: string) => ({
      kind,
      metadata: { name, namespace: "payments", uid },
      spec: {
        ...{ replicas: 2, selector: { matchLabels: { app: "checkout" } } },
        template: { metadata: {} },
      },
    });
    const replicaSet = workload("ReplicaSet", "checkout-6d8f", "uid-of-rs");
    const world = await aContainedCase({
      network: VPC,
      settings: { workload: "scaleToZero" },
      cluster: {
        pods: [aPod({ metadata: { ownerReferences } }), anAgent("agent-1")],
        workloads: [
          {
            ...replicaSet,
            metadata: {
              ...replicaSet.metadata,
              ownerReferences: [
                { kind: "Deployment", name: "checkout", uid: "uid-of-d", controller: true },
              ],
            },
          },
          workload("Deployment", "checkout", "uid-of-d"),
        ],
      },
    });
    undone(world);

    await putBack(world, 1);

    const { writes } = world.kubernetes.state;
    expect(writes).toContain("patch Pod checkout-1");
    expect(writes.filter((write) => write.includes("Deployment"))).toEqual([]);
  });

  test("suspends the policies of a namespace again, and leaves another namespace of its name alone", async () => {
    const allow = aPolicy("allow", { podSelector: {}, ingress: [{}] });
    const given = {
      target: THE_NAMESPACE,
      settings: { otherPolicies: { containment: "suspend", audit: "report" } },
      cluster: { policies: networkPolicies(allow) },
    } as const;
    const world = await aContainedCase(given);
    world.kubernetes.state.policies = networkPolicies(allow);
    const gone = await aContainedCase(given);
    gone.kubernetes.state.namespaces = [];

    await putBack(world, 1);
    const refused = await putBack(gone, 1);

    expect(world.kubernetes.state.writes).toContain("patch NetworkPolicy allow");
    expect(judgedIn(await lookAt(world)).verdict).toBe("contained");
    expect(refused.error).toContain("namespace payments is gone");
    expect(gone.kubernetes.state.writes).toEqual([]);
  });

  test("is not done in a case that was released meanwhile", async () => {
    const world = await aContainedCase();
    undone(world);
    await world.release();

    expect((await putBack(world, 1)).error).toContain("released");
    expect(world.kubernetes.state.writes).toEqual([]);
  });

  test("leaves a policy of somebody else that took the name as it is", async () => {
    const world = await aContainedCase();
    const [own] = world.kubernetes.state.policies.networkPolicies;
    world.kubernetes.state.policies = networkPolicies(
      aPolicy(own?.metadata.name ?? "", { podSelector: {}, ingress: [{}] }),
    );

    await expect(putBack(world, 1)).rejects.toThrow(/somebody else/);
  });

  test("wherever it is killed it ends with the pod contained and one record", async () => {
    const prepared = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const world = await aContainedCase();
        undone(world);
        return world;
      }),
    );
    const execution = anExecution("killed");
    const marker = prepared[0]?.marker ?? "";

    const calls = await killedEverywhere(
      () => {
        const world = prepared.pop();
        if (!world) throw new Error("too few worlds were prepared");
        const { kubernetes, store, now } = world;
        return { ...world, ports: { kubernetes, store, now } };
      },
      (ports) => reapplyPolicy({ marker, number: 1, execution }, ports),
      async (world, result, killed) => {
        expect(result, killed).toEqual({ number: 1, error: null });
        expect(judgedIn(await lookAt(world)).verdict, killed).toBe("contained");
      },
    );

    expect(calls).toContain("kubernetes.create");
  });
});
