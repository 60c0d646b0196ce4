import { AsyncLocalStorage } from "node:async_hooks";
import type { Writer } from "../core/evidence/custody.ts";
import { productVersion } from "./environment.ts";

interface Invocation extends Pick<Writer, "state" | "execution"> {
  /** When Lambda stops the function, in milliseconds since 1970. */
  readonly until: number;
}

/**
 * For whom a function works now: its state, and the execution that called it. `functions/state.ts`
 * sets it for each call; the evidence store asks for it at each write, so that no state has to pass
 * on who it is.
 */
export const invocation = new AsyncLocalStorage<Invocation>();

/** Milliseconds that the function may still run. */
export function msLeft(): number {
  const until = invocation.getStore()?.until;
  if (until === undefined) throw new Error("only a function that was called has a time limit");
  return until - Date.now();
}

/**
 * Who asks, as the audit logs of the cluster and of AWS keep it: the product and, in a function, its
 * version, the state and the execution. So each line of those logs leads to a run.
 */
export function userAgent(): string {
  const caller = invocation.getStore();
  if (!caller) return "eks-containment";
  const { state, execution } = caller;
  // A name may hold letters that a header must not.
  const name = encodeURIComponent(execution.slice(execution.lastIndexOf(":") + 1));
  return `eks-containment/${productVersion()} (${state}; ${name})`;
}

/** Who writes evidence now. */
export function writer(): Writer {
  const caller = invocation.getStore();
  if (!caller) throw new Error("evidence can only be written by a state that an execution called");
  const { state, execution } = caller;
  return {
    ...{ state, execution },
    productVersion: productVersion(),
    capturedAt: new Date().toISOString(),
  };
}
