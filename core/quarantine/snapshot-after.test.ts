import { expect, test } from "vitest";
import { PROTECTED_LABELS, UNBRAKED } from "../../test/memory/brakes.ts";
import { aPod, memoryCluster } from "../../test/memory/cluster.ts";
import { memoryStore } from "../../test/memory/evidence-store.ts";
import { SETTINGS, VPC, VPC_CLUSTER } from "../../test/memory/quarantine-input.ts";
import type { PolicyEndpoint } from "../kubernetes.ts";
import type { Target } from "../target/target.ts";
import { applyPolicy } from "./apply-policy.ts";
import { snapshotAfter } from "./snapshot-after.ts";

const CASE = { id: "c-1", runId: "run-1" };
const NAMESPACE: Target = {
  ...{ cluster: "prod-eks-1", namespace: "payments", uid: null },
  ...{ kind: "namespace", name: "payments" },
};
const QUARANTINED_AT = "2026-11-22T17:55:30.000Z";

/** A contained namespace of which the CNI's controller has not resolved a policy yet. */
async function contained() {
  const kubernetes = memoryCluster({ ...VPC_CLUSTER, pods: [aPod()] });
  const store = memoryStore();
  let seconds = 0;
  const now = () => new Date(Date.parse(QUARANTINED_AT) + 1_000 * seconds);
  const alert = { detectedAt: QUARANTINED_AT, severity: "high" } as const;
  const execution = { arn: "arn:aws:states:a", name: "a", startedAt: QUARANTINED_AT };
  await applyPolicy(
    {
      ...{ case: CASE, execution, alert, target: NAMESPACE, mode: "containment", network: VPC },
      ...UNBRAKED,
    },
    { kubernetes, store, settings: SETTINGS, protectedLabels: PROTECTED_LABELS, now },
  );
  const act = () => {
    seconds += 1;
    return snapshotAfter({ case: CASE }, { kubernetes, store, now });
  };
  const resolve = () => {
    const { networkPolicies, clusterNetworkPolicies } = kubernetes.state.policies;
    kubernetes.state.endpoints = [...networkPolicies, ...clusterNetworkPolicies].map(
      ({ metadata: { name, namespace } }): PolicyEndpoint => ({
        metadata: { name },
        spec: {
          policyRef: { name, ...(namespace && { namespace }) },
          podSelectorEndpoints: kubernetes.state.pods.map(({ metadata, status }) => ({
            ...{ name: metadata.name, namespace: "payments", podIP: status?.podIP ?? "" },
            hostIP: "10.0.0.1",
          })),
        },
      }),
    );
  };
  const change = () => {
    kubernetes.state.pods = [aPod({ metadata: { resourceVersion: String(seconds) } })];
  };
  const keys = () =>
    [...store.objects.keys()].flatMap((key) => /^runs\/run-1\/(.+)$/.exec(key)?.[1] ?? []);
  return { act, resolve, change, keys };
}

test("a namespace that is looked at until its policies are resolved is written down once", async () => {
  const { act, resolve, change, keys } = await contained();
  for (let attempt = 0; attempt < 3; attempt += 1) {
    await expect(act()).rejects.toMatchObject({ name: "TargetNotSettled" });
    change(); // pods of a busy namespace are never twice the same
  }
  resolve();

  await act();

  expect(keys()).toEqual(["plan.json", "policy.json", "after-pods-1.json", "after.json"]);
});
