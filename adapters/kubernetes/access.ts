import type { Permission } from "../../core/cluster/rights.ts";
import type { ApiClient } from "./client.ts";

const AUTHORIZATION = "/apis/authorization.k8s.io/v1";

interface Rule {
  readonly verbs?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

/**
 * Which of the permissions our identity lacks, in the namespace where they name no other. One request
 * lists its rules; a permission that is not among them is asked for by itself, because that list may
 * be incomplete where the API server has an authorizer that cannot list, as EKS has for its access
 * policies.
 */
export async function missingPermissions(
  api: ApiClient,
  permissions: readonly Permission[],
  namespace: string,
): Promise<readonly Permission[]> {
  const { body } = await api.write("POST", `${AUTHORIZATION}/selfsubjectrulesreviews`, {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SelfSubjectRulesReview",
    spec: { namespace },
  });
  const { status } = body as { readonly status?: { readonly resourceRules?: readonly Rule[] } };
  const rules = status?.resourceRules ?? [];
  const unlisted = permissions.filter(
    (each) =>
      (each.namespace ?? namespace) !== namespace || !rules.some((rule) => grants(rule, each)),
  );
  const answers = await Promise.all(
    unlisted.map(async (permission) => ({
      permission,
      allowed: await isAllowed(api, permission, namespace),
    })),
  );
  return answers.filter(({ allowed }) => !allowed).map(({ permission }) => permission);
}

function grants(rule: Rule, { verb, group, resource, name }: Permission): boolean {
  const has = (all: readonly string[] = [], one: string) => all.includes("*") || all.includes(one);
  const { resourceNames = [] } = rule;
  return (
    (resourceNames.length === 0 || (name !== undefined && resourceNames.includes(name))) &&
    has(rule.verbs, verb) &&
    has(rule.apiGroups, group) &&
    has(rule.resources, resource)
  );
}

async function isAllowed(api: ApiClient, permission: Permission, inside: string) {
  const { verb, group, resource, name, namespace = inside } = permission;
  const { body } = await api.write("POST", `${AUTHORIZATION}/selfsubjectaccessreviews`, {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SelfSubjectAccessReview",
    spec: { resourceAttributes: { verb, group, resource, namespace, ...(name && { name }) } },
  });
  return (body as { readonly status: { readonly allowed: boolean } }).status.allowed;
}
