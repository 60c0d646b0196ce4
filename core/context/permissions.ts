import type { Kubernetes } from "../kubernetes.ts";
import type { Binding, Role, Subject } from "../kubernetes-context.ts";
import { eachOf } from "./gather.ts";

const MAX_BINDINGS = 200;
const MAX_ROLES = 100;

/** What service accounts of one namespace may do: the bindings that reach them, and their roles. */
export interface Permissions {
  readonly bindings: readonly (Pick<Binding, "roleRef"> & {
    readonly kind: "RoleBinding" | "ClusterRoleBinding";
    /** Null: everywhere. */
    readonly namespace: string | null;
    readonly name: string;
    readonly through: readonly Subject[];
  })[];
  readonly roles: readonly {
    readonly kind: string;
    readonly namespace: string | null;
    readonly name: string;
    /** Null: there is no such role, and the binding gives nothing. */
    readonly rules: Role["rules"] | null;
  }[];
  /** How many more bindings or roles there are than are kept. */
  readonly leftOut: number;
}

/**
 * Finds what reaches the service accounts: by name, as user, or through a group that holds all
 * service accounts, those of a namespace, or everybody who is known.
 */
export async function permissionsOf(
  namespace: string,
  accounts: ReadonlySet<string>,
  kubernetes: Pick<Kubernetes, "bindingPages" | "role">,
): Promise<Permissions> {
  const bindings: Permissions["bindings"][number][] = [];
  let leftOut = 0;
  for await (const page of kubernetes.bindingPages()) {
    for (const { metadata, roleRef, subjects = [] } of page) {
      const through = subjects.filter((subject) =>
        reaches(subject, metadata.namespace, namespace, accounts),
      );
      if (through.length === 0) continue;
      if (bindings.length === MAX_BINDINGS) leftOut += 1;
      else {
        bindings.push({
          kind: metadata.namespace === undefined ? "ClusterRoleBinding" : "RoleBinding",
          namespace: metadata.namespace ?? null,
          ...{ name: metadata.name, roleRef, through },
        });
      }
    }
  }
  const refs = bindings.map(({ roleRef: { kind, name }, ...binding }) => ({
    kind,
    namespace: kind === "ClusterRole" ? null : binding.namespace,
    name,
  }));
  const distinct = [...new Map(refs.map((ref) => [JSON.stringify(ref), ref])).values()];
  const roles = await eachOf(distinct.slice(0, MAX_ROLES), async (ref) => {
    const role = await kubernetes.role(ref.namespace, ref.name);
    return { ...ref, rules: role?.rules ?? null };
  });
  return { bindings, roles, leftOut: leftOut + distinct.length - roles.length };
}

function reaches(
  subject: Subject,
  bound: string | undefined,
  namespace: string,
  accounts: ReadonlySet<string>,
): boolean {
  const { kind, name } = subject;
  if (kind === "ServiceAccount") {
    return (subject.namespace ?? bound) === namespace && accounts.has(name);
  }
  if (kind === "User") {
    const prefix = `system:serviceaccount:${namespace}:`;
    return name.startsWith(prefix) && accounts.has(name.slice(prefix.length));
  }
  const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`];
  return kind === "Group" && [...groups, "system:authenticated"].includes(name);
}
