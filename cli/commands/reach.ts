import { CNIS } from "../../core/cluster/network.ts";
import type { Direction, World } from "../../core/quarantine/reach/model.ts";
import type { Reach } from "../../core/quarantine/reach/reach.ts";

interface Options {
  readonly manifests: string;
  readonly pod: string;
  readonly cni?: string;
  readonly json?: boolean;
}

/** So many peers of a group are named; the others are counted. */
const SHOWN = 12;

/** `containment reach`: who can reach a pod and whom it can reach, from manifests alone. */
export async function reach({ manifests, pod, cni, json }: Options): Promise<void> {
  const known = CNIS.find((each) => each === cni);
  if (cni !== undefined && known === undefined) {
    throw new Error(`--cni ${cni}: it is one of ${CNIS.join(", ")}`);
  }
  if (!/^[^/]+\/[^/]+$/.test(pod)) throw new Error(`--pod ${pod}: it is <namespace>/<name>`);
  // Only this command needs them, and zod takes longer to load than most commands run.
  const [{ readWorld }, { reach: evaluate }] = await Promise.all([
    import("../manifests.ts"),
    import("../../core/quarantine/reach/reach.ts"),
  ]);
  const world = await readWorld(manifests, known ?? null);
  if (!world.pods.some(({ namespace, name }) => `${namespace}/${name}` === pod)) {
    const counted = `${world.pods.length} pods that run`;
    throw new Error(`--pod ${pod}: it is not among the ${counted} in ${manifests}`);
  }
  for (const warning of warnings(world)) console.error(`containment: ${warning}`);
  const result = evaluate(world, pod);
  console.log(json ? JSON.stringify(result) : describe(pod, result));
}

/** What the manifests lack or have too much of, so that the answer is not taken for more than it is. */
function warnings({ pods, namespaces, policies }: World): readonly string[] {
  const admins = (policies.adminPolicies ?? []).map(
    ({ kind, metadata }) => `${kind} ${metadata.name}`,
  );
  const unknown = [...new Set(pods.map(({ namespace }) => namespace))].filter(
    (namespace) => !Object.hasOwn(namespaces, namespace),
  );
  return [
    ...(unknown.length > 0
      ? [`no Namespace object of ${unknown.join(", ")}: only its name is taken as its label`]
      : []),
    ...(admins.length > 0 ? [`not evaluated: ${admins.join(", ")}`] : []),
  ];
}

function describe(pod: string, { ingress, egress, isolated, unreadable }: Reach): string {
  const incoming = ingress.map(({ from, ...row }) => ({ peer: from, ...row }));
  const outgoing = egress.map(({ to, ...row }) => ({ peer: to, ...row }));
  const lines = [
    pod,
    ...section("who may come in", "ingress", incoming, isolated),
    ...section("where it may go", "egress", outgoing, isolated),
    "",
    "Not said above: a pod always reaches itself, and its own node reaches it and is reached.",
  ];
  if (unreadable.length > 0) {
    lines.push("", "Not understood, and taken as allowing:");
    for (const { policy, direction, rule, why } of unreadable.slice(0, SHOWN)) {
      const full = policy.namespace === null ? policy.name : `${policy.namespace}/${policy.name}`;
      const place = `${direction ?? ""}${rule === null ? "" : ` rule ${rule}`}`.trim();
      lines.push(`  ${policy.kind} ${full}${place ? `, ${place}` : ""}: ${why}`);
    }
    if (unreadable.length > SHOWN) lines.push(`  and ${unreadable.length - SHOWN} more`);
  }
  return lines.join("\n");
}

interface PeerRow {
  readonly peer: string;
  readonly port: number | string;
  readonly protocol: string;
  readonly allowedBy: readonly string[];
  readonly except?: readonly string[];
}

/** Peers that may do the same by the same policies are one group. */
function section(
  title: string,
  direction: Direction,
  rows: readonly PeerRow[],
  isolated: Reach["isolated"],
): readonly string[] {
  const by = isolated[direction] ? "" : ` (${direction} is not isolated by any policy)`;
  const lines = ["", `${title}${by}`];
  if (rows.length === 0) lines.push("  nobody");
  const groups = Map.groupBy(rows, ({ port, protocol, allowedBy }) => {
    const why = allowedBy.length === 0 ? "as nothing isolates" : `by ${allowedBy.join(", ")}`;
    return `  ${describePort(port, protocol)}, ${why}`;
  });
  for (const [head, members] of groups) {
    lines.push(head);
    for (const { peer, except } of members.slice(0, SHOWN)) {
      lines.push(`    ${peer}${except ? ` except ${except.join(", ")}` : ""}`);
    }
    if (members.length > SHOWN) lines.push(`    and ${members.length - SHOWN} more`);
  }
  return lines;
}

function describePort(port: number | string, protocol: string): string {
  if (protocol === "any") return "everything";
  if (protocol === "other") return "other protocols";
  return port === "any" ? `${protocol}, every port` : `${protocol} ${port}`;
}
