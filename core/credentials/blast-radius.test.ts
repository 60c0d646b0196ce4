import { describe, expect, test } from "vitest";
import { blastRadius, type IdentityFacts, ROLE_ANNOTATION } from "./blast-radius.ts";

const ROLE = "arn:aws:iam::111122223333:role/payments";
const account = (namespace: string, name: string, role: string | null = null) => ({
  metadata: { name, namespace, ...(role && { annotations: { [ROLE_ANNOTATION]: role } }) },
});
const pod = (namespace: string, name: string) => ({ metadata: { namespace, name } });

const FACTS: IdentityFacts = {
  ...{ namespace: "payments", pod: "checkout-1", serviceAccount: "checkout", automount: null },
  ...{ tokens: [], node: null, instanceId: null, accounts: [], associations: [] },
  ...{ podsOfAccount: [pod("payments", "checkout-1"), pod("payments", "checkout-2")] },
  ...{ podsOnNode: [], profile: null },
};
const assess = (facts: Partial<IdentityFacts>) => blastRadius({ ...FACTS, ...facts });
const shared = (facts: Partial<IdentityFacts>, kind: string) =>
  assess(facts)[0]?.sharedWith.find((share) => share.kind === kind);

test("a pod without token, role and node has nothing to revoke", () => {
  expect(assess({})).toEqual([]);
});

describe("the IRSA role", () => {
  const accounts = [
    account("payments", "checkout", ROLE),
    account("orders", "worker", ROLE),
    account("payments", "other", `${ROLE}-2`),
    account("payments", "none"),
  ];

  test("is shared with service accounts of any namespace that name it, and with their pods", () => {
    expect(assess({ accounts })[0]).toMatchObject({ kind: "irsaRole", identity: ROLE });
    expect(shared({ accounts }, "serviceAccounts")?.names).toEqual(["orders/worker"]);
    expect(shared({ accounts }, "pods")?.names).toEqual(["checkout-2"]);
  });

  test("is shared with the Pod Identity associations of the same role", () => {
    const association = {
      associationId: "a-1",
      namespace: "x",
      serviceAccount: "y",
      roleArn: ROLE,
    };

    const share = shared({ accounts, associations: [association] }, "podIdentityAssociations");

    expect(share).toMatchObject({ names: ["x/y (a-1)"], unknown: false });
  });

  test("comes back through a stolen token, whatever is revoked", () => {
    expect(assess({ accounts })[0]?.notStopped.join()).toContain("web identity token");
  });
});

describe("the Pod Identity role", () => {
  const mine = {
    ...{ associationId: "a-1", namespace: "payments", serviceAccount: "checkout" },
    roleArn: ROLE,
  };

  test("is shared with other associations and annotated service accounts, never with itself", () => {
    const other = { ...mine, associationId: "a-2", namespace: "orders", serviceAccount: "worker" };
    const facts = { associations: [mine, other], accounts: [account("z", "irsa", ROLE)] };

    expect(assess(facts)[0]).toMatchObject({ kind: "podIdentityRole", identity: ROLE });
    expect(shared(facts, "podIdentityAssociations")?.names).toEqual(["orders/worker (a-2)"]);
    expect(shared(facts, "serviceAccounts")?.names).toEqual(["z/irsa"]);
  });

  test("may be shared with one whose role nobody looked up", () => {
    const unlooked = { ...mine, associationId: "a-2", namespace: "orders", roleArn: null };

    const share = shared({ associations: [mine, unlooked] }, "podIdentityAssociations");

    expect(share).toMatchObject({ names: [], unknown: true });
  });
});

test("the node's role is shared with every pod on it and every instance of its profile", () => {
  const facts = {
    ...{
      node: "node-1",
      instanceId: "i-1",
      profile: { arn: "arn:profile", instanceIds: ["i-1", "i-2"] },
    },
    podsOnNode: [pod("payments", "checkout-1"), pod("kube-system", "aws-node-1")],
  };

  expect(shared(facts, "pods")?.names).toEqual(["kube-system/aws-node-1"]);
  expect(shared(facts, "instances")?.names).toEqual(["i-2"]);
});

test("a token is refused a minute after its pod is gone, but for those who verify it offline", () => {
  const [api, vault] = assess({
    tokens: [{ path: "token" }, { path: "vault", audience: "vault", expirationSeconds: 600 }],
  });

  expect(api).toMatchObject({ identity: "system:serviceaccount:payments:checkout" });
  expect(api?.notStopped).toHaveLength(1);
  expect(vault?.obtainedBy).toContain("600 s");
  expect(vault?.notStopped.join()).toContain("vault");
});

test("what could not be read is shared with an unknown number", () => {
  const facts = { tokens: [{ path: "token" }], podsOfAccount: null };

  expect(shared(facts, "pods")).toMatchObject({ names: [], unknown: true });
});
