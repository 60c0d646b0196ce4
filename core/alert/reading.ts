import type { Alert, Detection } from "./alert.ts";

/**
 * What a parser makes of one event.
 * - `detection`: understood, and it names a target.
 * - `refused`: understood, and it must never act (a test, a sample, no target, an unknown mode).
 * - `unreadable`: not understood; the event goes to the dead-letter queue for a person to read.
 */
export type Reading =
  | { readonly kind: "detection"; readonly detection: Detection }
  | { readonly kind: "refused"; readonly reason: string; readonly alert: Alert | null }
  | { readonly kind: "unreadable"; readonly reason: string };

export function refused(reason: string, alert: Alert | null = null): Reading {
  return { kind: "refused", reason, alert };
}

/** The reason travels as an attribute of a queue message, which takes printable characters only. */
export function unreadable(reason: string): Reading {
  return { kind: "unreadable", reason: reason.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 500) };
}

/** Any RFC 3339 time as UTC with milliseconds, or null when it is no time. */
export function utcTime(text: string): string | null {
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : new Date(at).toISOString();
}

/** A value from the wire, short enough and printable for a reason that a person reads. */
export function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
