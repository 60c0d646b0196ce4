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

/** The one cluster that a stage contains in. The ARN is null where no account is known, offline. */
export interface ClusterIdentity {
  readonly name: string;
  readonly arn: string | null;
}

/** Longest text of an event that is carried through the workflow's state. */
export const MAX_TEXT_LENGTH = 500;

export function refused(reason: string, alert: Alert | null = null): Reading {
  return { kind: "refused", reason, alert };
}

/** The reason travels as an attribute of a queue message, which takes printable characters only. */
export function unreadable(reason: string): Reading {
  return {
    kind: "unreadable",
    reason: reason.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, MAX_TEXT_LENGTH),
  };
}

const RFC_3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

/** An RFC 3339 time as UTC with milliseconds, or null when it is none. */
export function utcTime(text: string): string | null {
  if (!RFC_3339.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : new Date(at).toISOString();
}

/** A value from the wire, short enough and printable for a reason that a person reads. */
export function quote(value: unknown): string {
  const text = isFlat(value) ? (JSON.stringify(value) ?? "nothing") : `of type ${typeof value}`;
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** Objects are not printed: one that is nested deep enough cannot be. */
function isFlat(value: unknown): boolean {
  return typeof value !== "object" || value === null;
}
