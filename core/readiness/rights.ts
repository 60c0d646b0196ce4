import { about, type Finding, type Observed } from "./finding.ts";

/** What gives the functions a place in the API server's queues. */
export const FLOW_KINDS = ["PriorityLevelConfiguration", "FlowSchema"] as const;

/** A role, a binding or a priority of Kubernetes, as a manifest or the API server has it. */
export interface RbacObject {
  readonly kind:
    | "ClusterRole"
    | "Role"
    | "ClusterRoleBinding"
    | "RoleBinding"
    | (typeof FLOW_KINDS)[number];
  readonly name: string;
  /** Null for kinds that are in no namespace. */
  readonly namespace: string | null;
  /** One line for each right that a role gives, each end of a binding, or each fact of a priority.
   * Their order is nothing. */
  readonly lines: readonly string[];
}

/** Looks at the cluster as whoever runs this. Null for what is not there. */
export interface ClusterRights {
  read(object: Omit<RbacObject, "lines">): Promise<Observed<RbacObject | null>>;
}

export interface ObservedRights {
  readonly wanted: RbacObject;
  readonly found: Observed<RbacObject | null>;
}

/** Looks at everything that the manifest holds. Changes nothing. */
export function observeRights(
  wanted: readonly RbacObject[],
  rights: ClusterRights,
): Promise<readonly ObservedRights[]> {
  return Promise.all(
    wanted.map(async (object) => ({ wanted: object, found: await rights.read(object) })),
  );
}

const MANIFEST = "kubernetes/rbac.yaml";
const APPLY = `kubectl apply --filename ${MANIFEST}`;

/**
 * The manifest is applied, and nobody has added to it. Objects that could not be read are one
 * finding: mostly they are all of them, for one reason.
 */
export function rightsFindings(observed: readonly ObservedRights[]): readonly Finding[] {
  const hidden = observed.flatMap(({ found }) => (found.kind === "unseen" ? [found] : []));
  const [first] = hidden;
  const all = about("cluster-rights", MANIFEST, "breaks");
  return [
    ...observed.flatMap(({ wanted, found }) =>
      found.kind === "seen" ? [compared(wanted, found.value)] : [],
    ),
    ...(first
      ? [
          all.unknown(
            `${hidden.length} of its ${observed.length} objects could not be read: ${first.why}`,
            "Run this as an administrator of the cluster, from where its API server is reached; or apply the manifest, which does nothing where it is applied.",
            APPLY,
          ),
        ]
      : []),
  ];
}

function compared(wanted: RbacObject, found: RbacObject | null): Finding {
  const where = wanted.namespace === null ? "" : `${wanted.namespace}/`;
  const subject = `${wanted.kind} ${where}${wanted.name}`;
  // Without its priority a containment works, but not while somebody floods the API server.
  const priority = FLOW_KINDS.some((kind) => kind === wanted.kind);
  const { ok, wrong } = about("cluster-rights", subject, priority ? "weakens" : "breaks");
  if (found === null) return wrong("it is not in the cluster", "Apply the manifest.", APPLY);
  const missing = wanted.lines.filter((line) => !found.lines.includes(line));
  if (missing.length > 0) {
    return wrong(`it lacks ${missing.join("; ")}`, "Apply the manifest.", APPLY);
  }
  const added = found.lines.filter((line) => !wanted.lines.includes(line));
  if (added.length === 0) return ok(`as in ${MANIFEST}`);
  return about("cluster-rights", subject, "weakens").wrong(
    `it ${priority ? "holds" : "gives"} more than it should: ${added.join("; ")}`,
    "Apply the manifest.",
    APPLY,
  );
}
