import type { Brake } from "./brake.ts";
import { EVERY_WRITE } from "./brake.ts";

/** Days of the week as `Intl` names them in English. */
export const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] as const;
export type Day = (typeof DAYS)[number];

/** A time in which sensors' alerts are only audited, because people change the cluster then. */
export type MaintenanceWindow =
  /** Every week, from `from` on each of the days until `to`, on the next day where that is earlier. */
  | {
      readonly days: readonly Day[];
      /** `22:00`, by the clocks of `zone`. */
      readonly from: string;
      readonly to: string;
      /** A name of the IANA's database, `Europe/Berlin`. */
      readonly zone: string;
    }
  /** Once; RFC 3339. `to` is not in it any more. */
  | { readonly from: string; readonly to: string };

/** The first window that is open, null outside of all. */
export function openWindow(
  windows: readonly MaintenanceWindow[],
  now: Date,
): MaintenanceWindow | null {
  return windows.find((window) => isOpen(window, now)) ?? null;
}

export function maintenanceBrake(windows: readonly MaintenanceWindow[], now: Date): Brake | null {
  const open = openWindow(windows, now);
  if (!open) return null;
  return {
    brake: "maintenanceWindow",
    withheld: EVERY_WRITE,
    why: `maintenance window ${describeWindow(open)} is open`,
    lift: "it ends by itself; until then ask by hand: npx containment contain",
  };
}

export function describeWindow(window: MaintenanceWindow): string {
  return "days" in window
    ? `${window.days.join(", ")} ${window.from}-${window.to} ${window.zone}`
    : `${window.from} to ${window.to}`;
}

function isOpen(window: MaintenanceWindow, now: Date): boolean {
  if (!("days" in window)) {
    return Date.parse(window.from) <= now.getTime() && now.getTime() < Date.parse(window.to);
  }
  const { days, from, to } = window;
  const { day, time } = onTheWall(window.zone, now);
  if (from < to) return days.includes(day) && from <= time && time < to;
  return (days.includes(day) && from <= time) || (days.includes(dayBefore(day)) && time < to);
}

/** What a clock and a calendar of the zone show. */
function onTheWall(timeZone: string, now: Date): { readonly day: Day; readonly time: string } {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone,
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).formatToParts(now);
  const part = (type: string) => parts.find((each) => each.type === type)?.value ?? "";
  const day = DAYS.find((each) => each === part("weekday"));
  if (!day) throw new Error(`Intl gave no day of the week for ${timeZone}`);
  return { day, time: `${part("hour")}:${part("minute")}` };
}

function dayBefore(day: Day): Day {
  return DAYS.at(DAYS.indexOf(day) - 1) ?? day;
}
