import type { Direction, Unreadable, World } from "./model.ts";
import { unreadableOf } from "./openings.ts";
import { isEmpty } from "./ports.ts";
import { addressRows, namedRows, type Row, rowsOf, wayBoth } from "./rows.ts";
import { Side } from "./side.ts";
import { FREE, isolates, type Passage } from "./walk.ts";
import { onOwnNode, type PreparedPod, podNamed, prepare } from "./world.ts";

/** A peer and what passes; `from`/`to`: `namespace/name`, a CIDR, a domain or `entity <name>`. */
export type IngressRow = { readonly from: string } & Row;
export type EgressRow = { readonly to: string } & Row;

export interface Reach {
  readonly ingress: readonly IngressRow[];
  readonly egress: readonly EgressRow[];
  readonly isolated: Readonly<Record<Direction, boolean>>;
  /** What was not understood in any policy that counts; it is taken as allowing. */
  readonly unreadable: readonly Unreadable[];
}

/**
 * Who can reach a pod and whom it can reach, by everything that the policies of both ends say. The
 * pod itself and its own node are left out: they always can. Rows of addresses are of what is no
 * pod of the world. Throws for a pod that is not in the world.
 */
export function reach(world: World, target: string): Reach {
  const prepared = prepare(world);
  const subject = podNamed(prepared, target);
  const sides = (direction: Direction) =>
    prepared.engines.map((engine) => new Side(engine, subject, direction));
  const rows = { ingress: sides("ingress"), egress: sides("egress") };
  return {
    ingress: rowsIn(rows.ingress, (from, row) => ({ from, ...row })),
    egress: rowsIn(rows.egress, (to, row) => ({ to, ...row })),
    isolated: {
      ingress: rows.ingress.every(({ stages }) => isolates(stages)),
      egress: rows.egress.every(({ stages }) => isolates(stages)),
    },
    unreadable: prepared.engines.flatMap((engine) =>
      unreadableOf(engine, new Set(engine.policies.map(({ name }) => name))),
    ),
  };

  function rowsIn<R>(sides: readonly Side[], rowOf: (peer: string, row: Row) => R): R[] {
    const found: R[] = [];
    // Most pods share what passes: the same passages make the same rows.
    const known = new Map<Passage, Map<Passage, readonly Row[]>>();
    const rowsFor = (near: Passage, far: Passage): readonly Row[] => {
      const byFar = known.get(near) ?? new Map<Passage, readonly Row[]>();
      known.set(near, byFar);
      const rows = byFar.get(far) ?? rowsOf([wayBoth(near, far)]);
      byFar.set(far, rows);
      return rows;
    };
    const rowsThrough = (side: Side, pod: PreparedPod): readonly Row[] => {
      const near = side.near(pod);
      return isEmpty(near.allowed) ? [] : rowsFor(near, side.far(pod));
    };
    const [only, ...more] = sides;
    for (const pod of prepared.pods) {
      if (pod === subject) continue;
      const rows = onOwnNode(pod, subject)
        ? rowsFor(FREE, FREE)
        : only && more.length === 0
          ? rowsThrough(only, pod)
          : rowsOf(sides.map((side) => wayBoth(side.near(pod), side.far(pod))));
      for (const row of rows) found.push(rowOf(pod.name, row));
    }
    for (const { peer, row } of addressRows(sides)) found.push(rowOf(peer, row));
    for (const { peer, row } of namedRows(sides)) found.push(rowOf(peer, row));
    return found;
  }
}
