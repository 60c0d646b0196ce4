import type { NewClusterSettings } from "../stage-settings.ts";
import { settingsFor } from "../stages.ts";

/** The settings of a stage that makes its own cluster; throws for one that has adopted a cluster. */
export function newClusterOf(stage: string): NewClusterSettings {
  const { cluster } = settingsFor(stage);
  if (cluster.kind === "create") return cluster;
  throw new Error(
    `stage "${stage}" has the existing cluster ${cluster.name}; this is for stages that create one`,
  );
}

/** The same, for what goes through the bastion. */
export function bastionOf(stage: string): NewClusterSettings {
  const cluster = newClusterOf(stage);
  if (cluster.bastion) return cluster;
  throw new Error(`stage "${stage}" has no bastion; set cluster.create.bastion in stages.ts`);
}
