import { NagSuppressions } from "cdk-nag";
import type { IConstruct } from "constructs";

/** Of NIST.800.53.R5-IAMNoInlinePolicy: least privilege is a policy for each role. */
export const INLINE_IS_MEANT =
  "A policy of one role's own cannot be attached to another one; a managed policy could.";

/**
 * Findings of cdk-nag that are meant to be there, each with the reason why, beside the resource that
 * they are about. `stacks/findings.test.ts` fails for every other finding, and for every acceptance
 * that no longer covers one.
 */
export function accept(on: IConstruct, reasons: Readonly<Record<string, string>>): void {
  NagSuppressions.addResourceSuppressions(
    on,
    Object.entries(reasons).map(([id, reason]) => ({ id, reason })),
    true,
  );
}
