/** The faults that lie in wait for one state of one execution, and what was asked of the proxies. */
import { randomUUID } from "node:crypto";
import type { StateName } from "../../functions/contract.ts";
import type { Asked, Service } from "./asked.ts";

/** What happens instead of an answer. */
export type Deed =
  /** The server's own words for it; the request does not reach the server. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
    }
  /** The connection is reset, the request does not reach the server. */
  | { readonly kind: "reset" }
  /** No answer until whoever asked gives up. */
  | { readonly kind: "silence" }
  /** The request is served, and the answer breaks off in the middle. */
  | { readonly kind: "half" }
  /** The process that asks is killed, before the request is served or after. */
  | { readonly kind: "kill"; readonly when: "before" | "after" }
  /** The process gets no more memory from here on, and a long answer. */
  | { readonly kind: "starve" };

export interface Fault {
  /** Null: whichever, for what does not say for whom it asks. */
  readonly execution: string | null;
  readonly state: StateName;
  readonly service: Service | "any";
  /** The first request that it meets: any, any write, or the nth of this label. */
  readonly begins: "request" | "write" | { readonly label: string; readonly nth: number };
  /** Requests that it meets; null: all, until it is healed. */
  readonly times: number | null;
  readonly does: Deed;
}

/** When a request came, in milliseconds since 1970, and whether a fault met it. */
export interface Seen extends Asked {
  readonly at: number;
  readonly met: boolean;
}

interface Laid {
  readonly fault: Fault;
  begun: boolean;
  met: number;
  /** Requests of the label that it waits for. */
  passed: number;
}

export class LaidFaults {
  readonly #laid = new Map<string, Laid>();
  readonly #seen = new Map<string, Seen[]>();

  lay(fault: Fault): string {
    const id = randomUUID();
    this.#laid.set(id, { fault, begun: false, met: 0, passed: 0 });
    return id;
  }

  /** Ends a fault. Returns how many requests it met. */
  heal(id: string): number {
    const met = this.#laid.get(id)?.met ?? 0;
    this.#laid.delete(id);
    return met;
  }

  /** The fault that meets this request, if one does. */
  meet(asked: Asked): Fault | null {
    const laid = [...this.#laid.values()].find((each) => lies(each, asked));
    if (laid) {
      laid.begun = true;
      laid.met += 1;
    }
    const seen = this.#seen.get(asked.execution) ?? [];
    this.#seen.set(asked.execution, [...seen, { ...asked, at: Date.now(), met: !!laid }]);
    return laid?.fault ?? null;
  }

  /** What the functions asked for an execution, in order. */
  seen(execution: string): readonly Seen[] {
    return this.#seen.get(execution) ?? [];
  }
}

function lies(laid: Laid, asked: Asked): boolean {
  const { execution, state, service, times } = laid.fault;
  if (state !== asked.state || (times !== null && laid.met >= times)) return false;
  if (execution !== null && execution !== asked.execution) return false;
  if (service !== "any" && service !== asked.service) return false;
  return laid.begun || beginsWith(laid, asked);
}

function beginsWith(laid: Laid, { write, label }: Asked): boolean {
  const { begins } = laid.fault;
  if (begins === "request") return true;
  if (begins === "write") return write;
  if (label === begins.label) laid.passed += 1;
  return label === begins.label && laid.passed === begins.nth;
}
