import type { ObjectLock, Writer } from "./custody.ts";

/** One object of evidence, as it can be proven later: what it is called and what its bytes hash to. */
export interface Artefact {
  readonly key: string;
  /** SHA-256 of the bytes, in hexadecimal. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
  /** The store's version of the object: what was sealed, whatever is written over it later. */
  readonly versionId: string;
}

/** A document that lies in the store, with the artefact that identifies it. */
export interface Stored<T> {
  readonly artefact: Artefact;
  readonly document: T;
}

/**
 * The evidence store. Nothing is ever overwritten: `putOnce` of a taken key leaves the stored
 * document as it is and returns it, so that a state that is run again goes on from what it wrote
 * the first time. Where the two differ in an artefact of a run, what was not written is kept beside
 * it as a conflict (`conflict.ts`). Every object carries its writer, where nobody can change it.
 *
 * Errors: `EvidenceUnavailable` (transient), `EvidenceDenied` (permanent).
 */
export interface EvidenceStore {
  putOnce<T>(key: string, document: T): Promise<Stored<T> & { readonly created: boolean }>;
  /** The newest version of a document, or null when the key is free. */
  read<T>(key: string): Promise<Stored<T> | null>;
  /** Every object under a prefix, with its bytes hashed again, its writer and its lock read back. */
  inspect(prefix: string): Promise<readonly InspectedArtefact[]>;
  /** Keys under a prefix, at most `limit` of them, in the order of their names, behind one of them. */
  list(prefix: string, limit: number, after?: string): Promise<readonly ListedKey[]>;
  /**
   * Frees the key of an open-case marker, if the version that was read still lies there: what
   * somebody else has put there since stays. Only keys under `open/` can be freed.
   */
  free(marker: Artefact): Promise<void>;
}

export interface ListedKey {
  readonly key: string;
  /** When the store received it, RFC 3339 in UTC, in whole seconds. */
  readonly storedAt: string;
}

export interface InspectedArtefact extends Artefact {
  /** When the store received it, RFC 3339 in UTC. */
  readonly storedAt: string;
  /** Null when it was not written by the product. */
  readonly writer: Writer | null;
  /** Null when nothing keeps the version from being deleted. */
  readonly lock: ObjectLock | null;
}

/** A document that is JSON already: of a large one the text is held, and no objects beside it. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toJSON(): unknown {
    return JSON.parse(this.text);
  }
}

/** How documents become bytes: one line of JSON, which Athena and `jq` read without a crawler. */
export function toBytes(document: unknown): string {
  return `${document instanceof JsonText ? document.text : JSON.stringify(document)}\n`;
}
