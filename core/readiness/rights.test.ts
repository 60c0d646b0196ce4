import { expect, test } from "vitest";
import { readRbac } from "../../adapters/kubernetes/rbac.ts";
import { type Observed, seen, unseen } from "./finding.ts";
import { observeRights, type RbacObject, rightsFindings } from "./rights.ts";

const MANIFEST = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: reader }
rules:
  - { apiGroups: [""], resources: [pods, nodes], verbs: [get, list] }
  - { apiGroups: [""], resources: [configmaps], resourceNames: [a], verbs: [get] }
---
apiVersion: v1
kind: Namespace
metadata: { name: not-rbac }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: readers, namespace: kube-system }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader }
subjects:
  - { apiGroup: rbac.authorization.k8s.io, kind: Group, name: containment-readers }
`;

const wanted = readRbac(MANIFEST);

async function findingsFor(found: (object: RbacObject) => Observed<RbacObject | null>) {
  const rights = {
    async read({ kind, name }: Omit<RbacObject, "lines">) {
      const object = wanted.find((each) => each.kind === kind && each.name === name);
      return object ? found(object) : seen(null);
    },
  };
  return rightsFindings(await observeRights(wanted, rights));
}

const withLines = (object: RbacObject, lines: readonly string[]) => seen({ ...object, lines });

test("a manifest is read right by right", () => {
  expect(wanted).toEqual([
    {
      ...{ kind: "ClusterRole", name: "reader", namespace: null },
      lines: ["get pods", "get nodes", "list pods", "list nodes", "get configmaps named a"],
    },
    {
      ...{ kind: "RoleBinding", name: "readers", namespace: "kube-system" },
      lines: ["role Role reader", "subject Group containment-readers"],
    },
  ]);
});

test("rights in another order are the same rights", async () => {
  const findings = await findingsFor((object) => withLines(object, object.lines.toReversed()));

  expect(findings.map(({ outcome }) => outcome)).toEqual(["ok", "ok"]);
});

test("a right that is missing, a right that was added and an object that is not there are found", async () => {
  const missing = await findingsFor((object) => withLines(object, object.lines.slice(1)));
  const added = await findingsFor((object) => withLines(object, [...object.lines, "get secrets"]));
  const gone = await findingsFor(() => seen(null));

  expect(missing[0]).toMatchObject({ severity: "breaks", saw: "it lacks get pods" });
  expect(added[0]).toMatchObject({
    severity: "weakens",
    saw: "it gives more than it should: get secrets",
  });
  expect(gone[0]).toMatchObject({ severity: "breaks", saw: "it is not in the cluster" });
  for (const finding of [...missing, ...added, ...gone]) {
    expect(finding).toMatchObject({
      outcome: "wrong",
      remedy: { commands: ["kubectl apply --filename kubernetes/rbac.yaml"] },
    });
  }
});

test("a priority that is gone, or that misses a group, weakens", async () => {
  const priority = readRbac(`
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: PriorityLevelConfiguration
metadata: { name: ours }
spec: { type: Limited, limited: { nominalConcurrencyShares: 20, lendablePercent: 0 } }
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: { name: ours }
spec:
  priorityLevelConfiguration: { name: ours }
  matchingPrecedence: 300
  rules: [{ subjects: [{ kind: Group, group: { name: containment-apply-policy } }] }]
`);
  const [level, flow] = priority;
  if (!level || !flow) throw new Error("not read");
  const found = (object: RbacObject, value: RbacObject | null) =>
    rightsFindings([{ wanted: object, found: seen(value) }])[0];

  expect(level.lines).toEqual(["type Limited", "20 shares", "0 % lendable"]);
  expect(found(level, null)).toMatchObject({ outcome: "wrong", severity: "weakens" });
  expect(found(flow, { ...flow, lines: flow.lines.slice(0, 2) })).toMatchObject({
    severity: "weakens",
    saw: "it lacks subject Group containment-apply-policy",
  });
  expect(found(flow, flow)).toMatchObject({ outcome: "ok" });
});

test("an API server that is not reached leaves the rights unknown", async () => {
  const findings = await findingsFor(() => unseen("no answer"));

  expect(findings).toEqual([
    expect.objectContaining({
      outcome: "unknown",
      saw: "2 of its 2 objects could not be read: no answer",
    }),
  ]);
});
