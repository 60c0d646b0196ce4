import { printable } from "../core/report/printable.ts";

/**
 * From here on nothing that a command prints reaches the terminal as a control sequence, wherever its
 * text came from: an alert, an object of the cluster, an answer of AWS. One place for all commands,
 * so that none can forget it. Programs that a command starts write for themselves.
 */
export function guardTerminal(): void {
  for (const method of ["log", "error"] as const) {
    const print = console[method].bind(console);
    console[method] = (...texts: unknown[]) => print(...texts.map((text) => printable(`${text}`)));
  }
}
