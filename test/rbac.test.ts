import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import * as z from "zod";
import type { Permission } from "../core/kubernetes.ts";
import {
  NETWORK_PERMISSIONS,
  READ_PERMISSIONS,
  SURROUNDINGS_PERMISSIONS,
  WRITE_PERMISSIONS,
} from "../core/quarantine/permissions.ts";

const Role = z.object({
  kind: z.literal("ClusterRole"),
  metadata: z.object({ name: z.string() }),
  rules: z.array(
    z.object({
      apiGroups: z.array(z.string()),
      resources: z.array(z.string()),
      verbs: z.array(z.string()),
    }),
  ),
});

const text = readFileSync(join(import.meta.dirname, "../kubernetes/rbac.yaml"), "utf8");
const documents = parseAllDocuments(text).map((document) => document.toJS());
const roles = documents.flatMap((document) => Role.safeParse(document).data ?? []);

/** `get pods.` for the core group, `list networkpolicies.networking.k8s.io` for others. */
const granted = roles.flatMap(({ rules }) =>
  rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}.${group}`)),
    ),
  ),
);

/** Reads that SnapshotNodeEbs makes beyond what a plan needs. */
const READ_FOR_VOLUMES: readonly Permission[] = [
  "nodes",
  "persistentvolumeclaims",
  "persistentvolumes",
].map((resource) => ({ verb: "get", group: "", resource }));

test("the cluster grants exactly what the code asks for", () => {
  const needed = [
    ...READ_PERMISSIONS,
    ...NETWORK_PERMISSIONS,
    ...SURROUNDINGS_PERMISSIONS,
    ...WRITE_PERMISSIONS,
    ...READ_FOR_VOLUMES,
  ].map(({ verb, resource, group }) => `${verb} ${resource}.${group}`);

  expect(granted.toSorted()).toEqual(needed.toSorted());
});

test("nothing is granted by wildcard, and no secret can be read", () => {
  expect(granted.filter((right) => right.includes("*") || right.includes("secrets"))).toEqual([]);
});
