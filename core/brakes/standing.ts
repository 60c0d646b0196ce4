import type { ListedKey } from "../evidence/store.ts";
import type { Observed } from "../readiness/finding.ts";
import type { BrakeName } from "./brake.ts";
import { type CircuitBreakerSettings, roomIn } from "./circuit-breaker.ts";
import { KILL_SWITCH } from "./kill-switch.ts";
import { describeWindow, type MaintenanceWindow, openWindow } from "./maintenance-window.ts";

/** How one brake stands now, whatever the target. */
export interface Standing {
  readonly brake: BrakeName;
  /** Null where it could not be seen. */
  readonly holds: boolean | null;
  readonly says: string;
}

/** What the brakes of a whole stage stand by; those that depend on a target are not among them. */
export interface Seen {
  readonly killSwitch: Observed<string | null>;
  /** The newest containments of the cluster, as many as may begin without a person. */
  readonly begun: Observed<readonly ListedKey[]>;
}

/** The brakes of a stage in the order in which they are asked. */
export function standingBrakes(
  {
    maintenanceWindows,
    circuitBreaker,
  }: {
    readonly maintenanceWindows: readonly MaintenanceWindow[];
    readonly circuitBreaker: CircuitBreakerSettings;
  },
  { killSwitch, begun }: Seen,
  now: Date,
): readonly Standing[] {
  const open = openWindow(maintenanceWindows, now);
  const { targets, minutes } = circuitBreaker;
  const limit = `${targets} new targets in ${minutes} minutes`;
  return [
    {
      brake: "maintenanceWindow",
      holds: open !== null,
      says: open ? `${describeWindow(open)} is open: sensors' alerts are audits` : "none is open",
    },
    seenBrake("killSwitch", killSwitch, (value) => ({
      holds: value !== KILL_SWITCH.released,
      says:
        value === null
          ? "the parameter is gone: every run fails"
          : value === KILL_SWITCH.released
            ? "released"
            : `"${value}": every run is an audit`,
    })),
    seenBrake("circuitBreaker", begun, (newest) => {
      const left = roomIn(newest, circuitBreaker, now);
      return {
        holds: left === 0,
        says:
          left === 0
            ? `${limit} were contained, so sensors' alerts are audits; requests by hand act`
            : `${left} more of ${limit}`,
      };
    }),
  ];
}

function seenBrake<T>(
  brake: BrakeName,
  observed: Observed<T>,
  judge: (value: T) => Omit<Standing, "brake">,
): Standing {
  return observed.kind === "seen"
    ? { brake, ...judge(observed.value) }
    : { brake, holds: null, says: `not seen: ${observed.why}` };
}
