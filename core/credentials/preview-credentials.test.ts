import { expect, test } from "vitest";
import { within } from "../../adapters/within.ts";
import { aPod } from "../../test/memory/cluster.ts";
import { memoryStore } from "../../test/memory/evidence-store.ts";
import { memoryIdentities, PROFILE } from "../../test/memory/identities.ts";
import { aCluster } from "../../test/memory/owned-pod.ts";
import type { Target } from "../target/target.ts";
import { ROLE_ANNOTATION } from "./blast-radius.ts";
import { previewCredentials } from "./preview-credentials.ts";

const ROLE = "arn:aws:iam::111122223333:role/payments";
const common = { cluster: "prod-eks-1", namespace: "payments", uid: null };
const POD: Target = { ...common, kind: "pod", name: "checkout-1", containerId: null };
const NAMESPACE: Target = { ...common, kind: "namespace", name: "payments" };

function prepare(target: Target) {
  const kubernetes = aCluster("nobody");
  const store = memoryStore();
  kubernetes.state.serviceAccounts = [
    {
      metadata: {
        ...{ name: "default", namespace: "payments", annotations: { [ROLE_ANNOTATION]: ROLE } },
      },
    },
  ];
  const act = (identities = memoryIdentities()) =>
    previewCredentials(
      {
        case: { id: "c-1", runId: "run-1" },
        target,
        uid: target.kind === "pod" ? "uid-1" : "uid-of-payments",
      },
      { kubernetes, identities, store, within, now: () => new Date(0) },
    );
  const kept = () => JSON.parse(store.objects.get("runs/run-1/credentials.json") ?? "null");
  return { act, kept, kubernetes };
}

test("tells the workflow which role and which instance profile to ask AWS about", async () => {
  const { act, kept } = prepare(POD);

  expect(await act()).toMatchObject({ roleArns: [ROLE], instanceProfiles: ["eks-nodes"] });
  expect(kept()).toMatchObject({ revoked: false, missing: [] });
  expect(JSON.stringify(kept())).toContain(PROFILE);
});

test("what AWS cannot tell is missing, and what the cluster tells is there", async () => {
  const { act, kept } = prepare(POD);
  const failing = {
    podIdentityAssociations: () => Promise.reject(new Error("no route")),
    instanceProfile: () => Promise.reject(new Error("no route")),
  };

  await act(failing);

  expect(kept().missing.map(({ source }: { source: string }) => source)).toEqual([
    "associations",
    "profile of checkout-1",
  ]);
  const kinds = kept().pods[0].credentials.map(({ kind }: { kind: string }) => kind);
  expect(kinds).toEqual(["irsaRole", "nodeRole"]);
});

test("looks once at pods of the same account on the same node", async () => {
  const { act, kept, kubernetes } = prepare(NAMESPACE);
  kubernetes.state.pods = ["a", "b", "c"].map((name) =>
    aPod({ metadata: { name, uid: name }, spec: { nodeName: name === "c" ? "node-2" : "node-1" } }),
  );

  await act();

  expect(kept().pods.map(({ pod }: { pod: string }) => pod)).toEqual(["b", "c"]);
});
