import type { Copies, Copy, SharedSnapshot } from "../../core/node/copy-snapshot.ts";
import type { Tags } from "../../core/node/volumes.ts";

/** EC2 of the forensic account, for unit tests. */
export interface MemoryCopies extends Copies {
  readonly made: (Copy & { readonly of: SharedSnapshot; readonly tags: Tags })[];
  /** From now on every copy has this state. */
  become(state: string, message?: string): void;
}

export function memoryCopies(): MemoryCopies {
  const made: MemoryCopies["made"] = [];
  return {
    made,
    become(state, message = "") {
      made.splice(0, made.length, ...made.map((each) => ({ ...each, state, message })));
    },
    of: async (id) => made.filter(({ of }) => of.snapshotId === id),
    async begin(shared, tags) {
      const copy = { snapshotId: `snap-c${made.length}`, state: "pending", message: "" };
      made.push({ ...copy, of: shared, tags });
      return copy;
    },
  };
}
