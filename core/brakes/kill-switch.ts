import type { Brake } from "./brake.ts";

/** The values that the kill switch knows. */
export const KILL_SWITCH = { released: "released", engaged: "engaged" } as const;

/** The kill switch as the workflow read it last. */
export interface KillSwitch {
  /** Of the parameter of Systems Manager. */
  readonly name: string;
  /** What it holds; null where it could not be read. */
  readonly value: string | null;
}

/** Holds unless the switch is known to be released: whoever pulled it counts on it. */
export function killSwitchBrake({ name, value }: KillSwitch, withheld: string): Brake | null {
  if (value === KILL_SWITCH.released) return null;
  return {
    brake: "killSwitch",
    withheld,
    why:
      value === null
        ? `kill switch ${name} could not be read`
        : `kill switch ${name} was "${value}", not "${KILL_SWITCH.released}"`,
    lift: `aws ssm put-parameter --name ${name} --value ${KILL_SWITCH.released} --type String --overwrite`,
  };
}
