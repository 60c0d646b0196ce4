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
