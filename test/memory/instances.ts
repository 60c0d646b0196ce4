import type { Instances } from "../../core/node/instances.ts";

/** One instance, as EC2 and Auto Scaling know it. */
export interface MemoryInstance {
  readonly lifecycle: "spot" | "onDemand";
  terminationProtected: boolean;
  /** Null: in no group. */
  readonly group: string | null;
  protectedFromScaleIn: boolean;
}

/** EC2 and Auto Scaling without AWS, for unit tests. */
export interface MemoryInstances extends Instances {
  readonly state: Record<string, MemoryInstance>;
  /** Every write that was made, in order. */
  readonly writes: string[];
}

export const AN_INSTANCE: MemoryInstance = {
  ...{ lifecycle: "onDemand", terminationProtected: false },
  ...{ group: "shop-nodes", protectedFromScaleIn: false },
};

export function memoryInstances(state: Record<string, MemoryInstance>): MemoryInstances {
  const writes: string[] = [];
  const known = (id: string): MemoryInstance => {
    const instance = state[id];
    if (!instance) throw new Error(`InvalidInstanceID.NotFound: ${id}`);
    return instance;
  };
  return {
    ...{ state, writes },
    lifecycleOf: async (id) => state[id]?.lifecycle ?? null,
    isProtectedFromTermination: async (id) => known(id).terminationProtected,
    async groupOf(id) {
      const { group = null, protectedFromScaleIn = false } = state[id] ?? {};
      return group === null ? null : { group, protectedFromScaleIn };
    },
    async protectFromTermination(id) {
      known(id).terminationProtected = true;
      writes.push(`termination ${id}`);
    },
    async protectFromScaleIn(group, id) {
      if (known(id).group !== group) throw new Error(`ValidationError: ${id} is not in ${group}`);
      known(id).protectedFromScaleIn = true;
      writes.push(`scaleIn ${id}`);
    },
  };
}
