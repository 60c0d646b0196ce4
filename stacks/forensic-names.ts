import { COPIER } from "../functions/contract.ts";
import type { StageSettings } from "../stage-settings.ts";

export type ForensicCopySettings = NonNullable<StageSettings["preservation"]["forensicCopy"]>;

/** What a stage of `FORENSIC_STAGES` calls the bus on which it is asked for copies. */
export const FORENSIC_BUS = "copies";

/** That bus and the role that copies, by name: one account exports nothing to another. */
export function namesThere(
  { accountId, region, stage }: ForensicCopySettings,
  { partition, appName }: { readonly partition: string; readonly appName: string },
): { readonly busArn: string; readonly copierArn: string } {
  const prefix = `${stage}-${appName}`;
  return {
    busArn: `arn:${partition}:events:${region}:${accountId}:event-bus/${prefix}-${FORENSIC_BUS}`,
    copierArn: `arn:${partition}:iam::${accountId}:role/${prefix}-${COPIER}`,
  };
}
