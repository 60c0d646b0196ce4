import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import * as z from "zod";
import { describePermission, type Permission, rightsOf } from "../core/cluster/rights.ts";
import { groupsOf } from "../kubernetes/groups.ts";
import { MEMBERS, rbacManifest } from "../kubernetes/rbac.ts";
import { permissionsPage } from "../stacks/permissions.ts";

const Named = z.object({ name: z.string(), namespace: z.string().optional() });
const Role = z.object({
  kind: z.enum(["ClusterRole", "Role"]),
  metadata: Named,
  rules: z.array(
    z.strictObject({
      apiGroups: z.array(z.string()),
      resources: z.array(z.string()),
      resourceNames: z.array(z.string()).optional(),
      verbs: z.array(z.enum(["get", "list", "create", "patch", "update", "delete"])),
    }),
  ),
});
const Binding = z.object({
  kind: z.enum(["ClusterRoleBinding", "RoleBinding"]),
  metadata: Named,
  roleRef: z.object({ kind: z.enum(["ClusterRole", "Role"]), name: z.string() }),
  subjects: z.tuple([z.object({ kind: z.literal("Group"), name: z.string() })]),
});

const root = join(import.meta.dirname, "..");
const text = (file: string) => readFileSync(join(root, file), "utf8");
const documents = parseAllDocuments(text("kubernetes/rbac.yaml")).map((each) => each.toJS());
const roles = documents.flatMap((document) => Role.safeParse(document).data ?? []);
const bindings = documents.flatMap((document) => Binding.safeParse(document).data ?? []);

/** Every right of a role, rule by rule, as the authorizer reads it: each verb on each resource. */
function rightsIn({ metadata: { namespace }, rules }: z.infer<typeof Role>): Permission[] {
  return rules.flatMap(({ apiGroups, resources, resourceNames = [undefined], verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        resourceNames.flatMap((name) =>
          verbs.map((verb) => ({
            ...{ verb, group, resource },
            ...(namespace && { namespace }),
            ...(name && { name }),
          })),
        ),
      ),
    ),
  );
}

function inWords(permissions: readonly Permission[]): readonly string[] {
  return [...new Set(permissions.map(describePermission))].toSorted();
}

test.each([
  ["kubernetes/rbac.yaml", rbacManifest],
  ["docs/permissions.md", permissionsPage],
])("%s is what `npm run rbac` makes of the code", (file, generate) => {
  expect(text(file)).toBe(generate());
});

describe("the manifest", () => {
  test("holds roles, their bindings and their priority, and nothing else", () => {
    expect(documents.slice(-2).map(({ kind }) => kind)).toEqual([
      "PriorityLevelConfiguration",
      "FlowSchema",
    ]);
    expect(roles.length + bindings.length + 2).toBe(documents.length);
    const place = ({ name, namespace }: z.infer<typeof Named>) => `${namespace}/${name}`;
    expect(bindings.map(({ metadata }) => place(metadata))).toEqual(
      roles.map(({ metadata }) => place(metadata)),
    );
  });

  test.each(MEMBERS.map(({ group, needs }) => [group, needs] as const))(
    "grants %s exactly what the declaration costs",
    (group, needs) => {
      const bound = bindings.filter(({ subjects: [subject] }) => subject.name === group);
      const granted = bound.flatMap(({ roleRef, metadata: { namespace } }) =>
        roles
          .filter(({ kind, metadata }) => {
            const same = metadata.namespace === namespace && metadata.name === roleRef.name;
            return same && kind === roleRef.kind;
          })
          .flatMap(rightsIn),
      );

      expect(inWords(granted)).toEqual(inWords(rightsOf(needs)));
    },
  );

  test("speaks of our groups only, by names that EKS does not keep for itself", () => {
    const groups = bindings.map(({ subjects: [subject] }) => subject.name);

    expect(new Set(groups)).toEqual(new Set(MEMBERS.map(({ group }) => group)));
    for (const group of groups) {
      expect(group).toMatch(/^containment-[a-z]+(-[a-z]+)*$/);
      expect(group).not.toMatch(/^(system|eks|aws|amazon|iam):/);
    }
  });

  test("grants nothing by wildcard, no secret, and no way into a pod or another identity", () => {
    const forbidden = /\*|secrets|\/|serviceaccounts|impersonate|escalate|bind\b|certificatesign/;
    // To look at, for the record: no exec, no token, no change. And evictions that a person asks for.
    const looked = new Set([
      ...["get pods/log", "get serviceaccounts", "list serviceaccounts"],
      "create pods/eviction",
    ]);

    expect(
      roles
        .flatMap(rightsIn)
        .map(describePermission)
        .filter((each) => forbidden.test(each) && !looked.has(each)),
    ).toEqual([]);
  });

  test("lets only four states change anything, one of these nodes, another one delete, and a drain evict", () => {
    const who = (pattern: RegExp) =>
      roles
        .filter((role) => rightsIn(role).some(({ verb }) => pattern.test(verb)))
        .map(({ metadata }) => metadata.name);

    expect(who(/create|patch|update/)).toEqual([
      "containment-apply-policy",
      "containment-complete-policy",
      "containment-preserve-node",
      "containment-reapply-policy",
      "containment-drain-node",
    ]);
    const drains = roles.filter((role) =>
      rightsIn(role).some(({ resource }) => resource === "pods/eviction"),
    );
    expect(drains.map(({ metadata }) => metadata.name)).toEqual(["containment-drain-node"]);
    expect(drains.flatMap(rightsIn).map(describePermission)).toEqual([
      ...["get nodes", "list pods", "create pods/eviction"],
    ]);
    const changingNodes = roles.filter((role) =>
      rightsIn(role).some(({ verb, resource }) => verb !== "get" && resource === "nodes"),
    );
    expect(changingNodes.map(({ metadata }) => metadata.name)).toEqual([
      "containment-preserve-node",
    ]);
    expect(who(/delete/)).toEqual(["containment-complete-policy"]);
  });

  test("names the namespace of what lies in one that every cluster has", () => {
    const system = roles.filter(({ metadata }) => metadata.namespace !== undefined);

    expect(new Set(system.map(({ metadata }) => metadata.namespace))).toEqual(
      new Set(["kube-system"]),
    );
    const everywhere = roles.filter(({ metadata }) => metadata.namespace === undefined);
    expect(inWords(everywhere.flatMap(rightsIn)).join("\n")).not.toContain("configmaps");
  });
});

describe("a function", () => {
  test("is a member of its own group", () => {
    expect(groupsOf("SnapshotBefore")).toEqual(["containment-snapshot-before"]);
    expect(groupsOf("ApplyPolicy")).toEqual(["containment-apply-policy"]);
  });

  test("is a member of those groups too whose rights it checks: Authenticate only", () => {
    expect(groupsOf("Authenticate")).toEqual([
      "containment-authenticate",
      "containment-apply-policy",
      "containment-complete-policy",
    ]);
  });
});
