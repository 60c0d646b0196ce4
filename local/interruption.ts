/**
 * One orderly stop for every way in which a person ends a command: Ctrl-C, `kill`, a closed terminal.
 * Repeated signals (npm passes Ctrl-C on to its child, which got it already) change nothing.
 */
const controller = new AbortController();

/** Aborted as soon as the command was told to stop. */
export const interrupted: AbortSignal = controller.signal;

/** Resolves when the command is told to stop. */
export const interruption: Promise<undefined> = new Promise((resolve) => {
  interrupted.addEventListener("abort", () => resolve(undefined), { once: true });
});

/** Listens from now on; `notify` says to the person that stopping takes a moment. */
export function listenForInterruption(notify: () => void): void {
  // Whoever read our output went away (`| head`): that ends the command as a closed terminal does.
  process.stdout.on("error", () => controller.abort());
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (!interrupted.aborted) notify();
      controller.abort();
    });
  }
}

/** The message with its causes: the first says what failed, the last why. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message, cause } = error;
  return cause === undefined ? message : `${message}\n${describeError(cause)}`;
}
