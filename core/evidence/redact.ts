import type { Pod } from "../kubernetes.ts";
import { announcesSecret, namesSecret, redactText } from "./redact-text.ts";

const REDACTED = "[redacted]";

/** Holds the whole applied manifest, environment values included. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** Fields whose entries are pairs of a name, which is kept, and a value, which may be a secret. */
const PAIRS: ReadonlySet<string> = new Set(["env", "httpHeaders"]);

/** Fields of Secrets and ConfigMaps: only which keys there are is kept. */
const DATA: ReadonlySet<string> = new Set(["data", "stringData", "binaryData"]);

/** A pod without the values of its environment, which are where secrets are put by hand. */
export function redactPod(pod: Pod): Pod {
  return redact(pod);
}

/**
 * An object of Kubernetes or AWS as it may lie in evidence: the same shape, without values of
 * environments and headers, contents of Secrets and ConfigMaps, applied manifests, and whatever in
 * its texts has the shape of a secret. Of managed fields it is kept who changed the object and when.
 */
export function redact<T>(value: T): T {
  return withoutSecrets(value, "") as T; // the same shape, by construction
}

function withoutSecrets(value: unknown, field: string): unknown {
  if (typeof value === "string") return namesSecret(field) ? REDACTED : redactText(value);
  if (Array.isArray(value)) return value.map((_, index) => entry(value, index, field));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== "fieldsV1")
      .map(([name, inner]) => [name, child(name, inner)]),
  );
}

function child(name: string, value: unknown): unknown {
  if (name === LAST_APPLIED) return REDACTED;
  if (DATA.has(name) && typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.keys(value).map((key) => [key, REDACTED]));
  }
  return withoutSecrets(value, name);
}

function entry(all: readonly unknown[], index: number, field: string): unknown {
  const value = all[index];
  if (PAIRS.has(field) && isPair(value)) return { ...value, value: REDACTED };
  const before = all[index - 1];
  if (typeof value === "string" && typeof before === "string" && announcesSecret(before)) {
    return REDACTED;
  }
  return withoutSecrets(value, field);
}

function isPair(value: unknown): value is { readonly value: unknown } {
  return typeof value === "object" && value !== null && "value" in value;
}
