import { type CaseRef, OPEN_CASE_NEEDS, type OpenedCase, openCase } from "../case/case.ts";
import type { Needs, StoreFor } from "../needs.ts";
import { type Braked, brake, EVERY_WRITE } from "./brake.ts";
import {
  CIRCUIT_BREAKER_EVIDENCE,
  type CircuitBreakerSettings,
  circuitBreaker,
} from "./circuit-breaker.ts";
import { type KillSwitch, killSwitchBrake } from "./kill-switch.ts";

export const ADMIT_CASE_NEEDS = {
  evidence: {
    writes: [...OPEN_CASE_NEEDS.evidence.writes, ...CIRCUIT_BREAKER_EVIDENCE.writes],
    reads: [...OPEN_CASE_NEEDS.evidence.reads, ...CIRCUIT_BREAKER_EVIDENCE.reads],
    lists: [...OPEN_CASE_NEEDS.evidence.lists, ...CIRCUIT_BREAKER_EVIDENCE.lists],
    frees: OPEN_CASE_NEEDS.evidence.frees,
  },
} as const satisfies Needs;

interface Ports {
  readonly store: StoreFor<typeof ADMIT_CASE_NEEDS>;
  readonly circuitBreaker: CircuitBreakerSettings;
  readonly stage: string;
  readonly now: () => Date;
}

/**
 * Opens the case of a target or joins it, and says whether the run that opened it may act. Only a new
 * containment counts for the circuit breaker: not an alert that joins, not an audit, and no request
 * by hand, which a person decided.
 *
 * A case that is held back keeps its target until its run ends, so that a flood of alerts about one
 * target makes one audit; RecordRun then frees the target, and the next alert is asked about anew.
 */
export async function admitCase(
  input: Parameters<typeof openCase>[0] & Braked & { readonly killSwitch: KillSwitch },
  ports: Ports,
): Promise<Omit<OpenedCase, "again"> & Braked> {
  const { killSwitch, brakes, ...opening } = input;
  const asked = brake(input, [killSwitchBrake(killSwitch, EVERY_WRITE)]);
  const { again, ...opened } = await openCase({ ...opening, mode: asked.mode }, ports.store);
  const limited =
    opened.opened === "new" && asked.mode === "containment" && input.alert.source !== "manual";
  const held = limited ? await askBreaker({ case: opened.case, again }, input, ports) : null;
  return { ...opened, ...brake(asked, [held]) };
}

function askBreaker(
  { case: ref, again }: { readonly case: CaseRef; readonly again: boolean },
  { execution, target }: Parameters<typeof openCase>[0],
  { store, circuitBreaker: limit, stage, now }: Ports,
) {
  return circuitBreaker({ case: ref, execution, target }, { store, limit, stage, now, again });
}
