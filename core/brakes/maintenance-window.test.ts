import { expect, test } from "vitest";
import { maintenanceBrake, openWindow } from "./maintenance-window.ts";

const NIGHT = { days: ["Sat"], from: "22:00", to: "02:00", zone: "Europe/Berlin" } as const;
const NOON = { days: ["Mon", "Tue"], from: "12:00", to: "13:30", zone: "UTC" } as const;
const ONCE = { from: "2026-12-01T22:00:00Z", to: "2026-12-02T00:00:00+01:00" };

test.each([
  // Saturday 28 November 2026, Berlin is an hour ahead of UTC.
  ["before it begins", NIGHT, "2026-11-28T20:59:59.999Z", false],
  ["when it begins, by the clocks of its zone", NIGHT, "2026-11-28T21:00:00Z", true],
  ["after midnight", NIGHT, "2026-11-29T00:30:00Z", true],
  ["when it ends", NIGHT, "2026-11-29T01:00:00Z", false],
  [
    "in the early hours of its day, which are of the day before",
    NIGHT,
    "2026-11-28T00:30:00Z",
    false,
  ],
  // On Sunday 25 October 2026 at 01:00 UTC Berlin's clocks go back from 3 to 2.
  ["in the night in which the clocks go back", NIGHT, "2026-10-24T23:30:00Z", true],
  ["an hour later, when 2 o'clock has been", NIGHT, "2026-10-25T00:30:00Z", false],
  ["on one of its days", NOON, "2026-11-24T12:00:00Z", true],
  ["on another day", NOON, "2026-11-25T12:00:00Z", false],
  ["within a time that comes once", ONCE, "2026-12-01T22:59:59Z", true],
  ["at the end of a time that comes once", ONCE, "2026-12-01T23:00:00Z", false],
])("a window %s", (_, window, at, open) => {
  expect(openWindow([window], new Date(at)) !== null).toBe(open);
});

test("a window that is open names itself, and what a person can do", () => {
  expect(maintenanceBrake([ONCE, NOON], new Date("2026-11-23T12:15:00Z"))).toMatchObject({
    brake: "maintenanceWindow",
    why: "maintenance window Mon, Tue 12:00-13:30 UTC is open",
    lift: expect.stringContaining("npx containment contain"),
  });
  expect(maintenanceBrake([], new Date())).toBeNull();
});
