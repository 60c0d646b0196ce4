import { AsyncLocalStorage } from "node:async_hooks";
import type { Writer } from "../core/evidence/custody.ts";
import { productVersion } from "./environment.ts";

/**
 * For whom a function works now: its state, and the execution that called it. `functions/state.ts`
 * sets it for each call; the evidence store asks for it at each write, so that no state has to pass
 * on who it is.
 */
export const invocation = new AsyncLocalStorage<Pick<Writer, "state" | "execution">>();

/** Who writes evidence now. */
export function writer(): Writer {
  const caller = invocation.getStore();
  if (!caller) throw new Error("evidence can only be written by a state that an execution called");
  return {
    ...caller,
    productVersion: productVersion(),
    capturedAt: new Date().toISOString(),
  };
}
