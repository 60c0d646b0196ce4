import { parseAllDocuments } from "yaml";
import * as z from "zod";
import { type Observed, seen, unseen } from "../../core/readiness/finding.ts";
import { type ClusterRights, FLOW_KINDS, type RbacObject } from "../../core/readiness/rights.ts";
import { apiClient } from "./client.ts";
import type { Transport } from "./transport.ts";

const RBAC_API = "/apis/rbac.authorization.k8s.io/v1";
const FLOW_API = "/apis/flowcontrol.apiserver.k8s.io/v1";

const names = z.array(z.string()).default([]);

const Metadata = z.object({ name: z.string(), namespace: z.string().nullable().default(null) });

const Role = z.object({
  kind: z.enum(["ClusterRole", "Role"]),
  metadata: Metadata,
  rules: z
    .array(
      z.object({
        apiGroups: names,
        resources: names,
        verbs: names,
        resourceNames: names,
        nonResourceURLs: names,
      }),
    )
    .nullish()
    .transform((rules) => rules ?? []),
});

const Binding = z.object({
  kind: z.enum(["ClusterRoleBinding", "RoleBinding"]),
  metadata: Metadata,
  roleRef: z.object({ kind: z.string(), name: z.string() }),
  subjects: z
    .array(z.object({ kind: z.string(), name: z.string(), namespace: z.string().default("") }))
    .default([]),
});

const PriorityLevel = z.object({
  kind: z.literal("PriorityLevelConfiguration"),
  metadata: Metadata,
  spec: z.object({
    type: z.string(),
    limited: z
      .object({ nominalConcurrencyShares: z.number(), lendablePercent: z.number().default(0) })
      .optional(),
  }),
});

const FlowSchema = z.object({
  kind: z.literal("FlowSchema"),
  metadata: Metadata,
  spec: z.object({
    priorityLevelConfiguration: z.object({ name: z.string() }),
    matchingPrecedence: z.number(),
    rules: z
      .array(
        z.object({
          subjects: z.array(
            z.object({ kind: z.string(), group: z.object({ name: z.string() }).optional() }),
          ),
        }),
      )
      .default([]),
  }),
});

const Rights = z.discriminatedUnion("kind", [Role, Binding, PriorityLevel, FlowSchema]);

/** Roles, bindings and priorities of a manifest; other kinds in it are left out. */
export function readRbac(manifest: string): readonly RbacObject[] {
  return parseAllDocuments(manifest).flatMap((document) => {
    const parsed = Rights.safeParse(document.toJS());
    return parsed.success ? [toObject(parsed.data)] : [];
  });
}

/** Roles, bindings and priorities as the API server has them, asked for as whoever the transport speaks for. */
export function clusterRights(transport: Transport): ClusterRights {
  const api = apiClient(transport);
  return {
    async read({ kind, name, namespace }): Promise<Observed<RbacObject | null>> {
      const scope = namespace === null ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
      const path = `${FLOW_KINDS.some((each) => each === kind) ? FLOW_API : RBAC_API}${scope}/${kind.toLowerCase()}s/${encodeURIComponent(name)}`;
      try {
        const found = await api.get<object>(path);
        return seen(found === null ? null : toObject(Rights.parse(found)));
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        const forbidden = error instanceof Error && error.name === "KubernetesForbidden";
        return unseen(
          forbidden
            ? `not allowed to look: needs get ${kind.toLowerCase()}s in the cluster`
            : `no answer of the API server (${why})`,
        );
      }
    },
  };
}

/** For a cluster that cannot be reached at all. */
export function unreachableRights(why: string): ClusterRights {
  return { read: async () => unseen(why) };
}

function toObject(object: z.infer<typeof Rights>): RbacObject {
  const { name, namespace } = object.metadata;
  return { kind: object.kind, name, namespace, lines: linesOf(object) };
}

function linesOf(object: z.infer<typeof Rights>): readonly string[] {
  if ("rules" in object) return object.rules.flatMap(linesOfRule);
  if ("roleRef" in object) return linesOfBinding(object);
  if (object.kind === "FlowSchema") {
    const { priorityLevelConfiguration, matchingPrecedence, rules } = object.spec;
    return [
      `priority level ${priorityLevelConfiguration.name}`,
      `precedence ${matchingPrecedence}`,
      ...rules.flatMap(({ subjects }) =>
        subjects.map(({ kind, group }) => `subject ${kind} ${group?.name ?? "of no group"}`),
      ),
    ];
  }
  const { type, limited } = object.spec;
  return [
    `type ${type}`,
    ...(limited
      ? [`${limited.nominalConcurrencyShares} shares`, `${limited.lendablePercent} % lendable`]
      : []),
  ];
}

type Rule = z.infer<typeof Role>["rules"][number];

/** `get pods`, `list policyendpoints.networking.k8s.aws`, `get configmaps named amazon-vpc-cni`. */
function linesOfRule(rule: Rule): readonly string[] {
  const things = [
    ...rule.apiGroups.flatMap((group) =>
      rule.resources.map((resource) => (group === "" ? resource : `${resource}.${group}`)),
    ),
    ...rule.nonResourceURLs,
  ];
  const named = rule.resourceNames.length === 0 ? [""] : rule.resourceNames;
  return rule.verbs.flatMap((verb) =>
    things.flatMap((thing) => named.map((name) => `${verb} ${thing}${name && ` named ${name}`}`)),
  );
}

function linesOfBinding({ roleRef, subjects }: z.infer<typeof Binding>): readonly string[] {
  return [
    `role ${roleRef.kind} ${roleRef.name}`,
    ...subjects.map(({ kind, name, namespace }) =>
      `subject ${kind} ${namespace} ${name}`.replace("  ", " "),
    ),
  ];
}
