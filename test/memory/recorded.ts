import type { EvidenceNeeds, Needs } from "../../core/needs.ts";

/** The port, which tells of every operation before it carries it out. */
export function recorded<Port extends object>(
  port: Port,
  tell: (operation: string, input: readonly unknown[]) => void,
): Port {
  return new Proxy(port, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...input: unknown[]) => {
        tell(String(name), input);
        return Reflect.apply(member, target, input);
      };
    },
  });
}

const STORE_OPERATIONS: Readonly<Record<string, keyof EvidenceNeeds>> = {
  putOnce: "writes",
  read: "reads",
  inspect: "inspects",
  free: "frees",
  list: "lists",
};

/** What was asked of the ports, in the words in which `declared` repeats what was declared. */
export function usage({ evidence = {} }: Needs) {
  const asked = new Set<string>();
  return {
    asked,
    kubernetes(operation: string, [object]: readonly unknown[]): void {
      const kind = typeof object === "object" && object !== null && "kind" in object;
      asked.add(kind ? `${operation} ${object.kind}` : operation);
    },
    store(operation: string, [where]: readonly unknown[]): void {
      const isArtefact = typeof where === "object" && where !== null && "key" in where;
      const key = isArtefact ? where.key : where;
      const how = STORE_OPERATIONS[operation] ?? "reads";
      const patterns = (evidence[how] ?? []).filter((pattern) => matches(pattern, String(key)));
      for (const pattern of patterns) asked.add(`${how} ${pattern}`);
      if (patterns.length === 0) asked.add(`${how} ${key}`);
    },
    other(operation: string): void {
      asked.add(operation);
    },
  };
}

/** As IAM matches: an asterisk is any text. */
function matches(pattern: string, key: string): boolean {
  return new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", ".*")}$`).test(key);
}

/** Every operation that was declared, those on kinds once for each kind. */
export function declared(needs: Needs): ReadonlySet<string> {
  const {
    kubernetes,
    evidence = {},
    clusters = [],
    volumes = [],
    instances = [],
    identities = [],
    announcements = [],
  } = needs;
  const { reads = [], optional = [], patches = [], makes = [], deletes = [] } = kubernetes ?? {};
  const evictions = kubernetes?.evicts ? ["evict"] : [];
  const each = (operations: readonly string[], kinds: readonly string[]) =>
    operations.flatMap((operation) => kinds.map((kind) => `${operation} ${kind}`));
  return new Set([
    ...[...reads, ...optional],
    ...each(["patch"], patches),
    ...each(["create", "existing", "replace"], makes),
    ...each(["existing", "delete"], deletes),
    ...evictions,
    ...Object.entries(evidence).flatMap(([how, patterns]) => each([how], patterns)),
    ...[...clusters, ...volumes, ...instances, ...identities, ...announcements],
  ]);
}
