import { createServer } from "node:net";

/**
 * Throws when something listens on the port already, on either of the addresses that `localhost` may
 * mean: the person's browser would meet that and not the tunnel.
 */
export async function requireFreePort(port: number): Promise<void> {
  for (const address of ["127.0.0.1", "::1"]) {
    const trouble = await listenOnce(address, port);
    // A machine without IPv6 has no other address for localhost.
    if (trouble === null || trouble === "EADDRNOTAVAIL" || trouble === "EAFNOSUPPORT") continue;
    const why = trouble === "EADDRINUSE" ? "is taken" : `cannot be used (${trouble})`;
    throw new Error(`port ${port} of ${address} ${why}; name another one with --port`);
  }
}

/** Null when it could be listened on, the error's code otherwise. */
function listenOnce(address: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", (error) => resolve("code" in error ? String(error.code) : error.message));
    probe.listen(port, address, () => probe.close(() => resolve(null)));
  });
}

/** A port number as it is typed. */
export function portOf(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new Error(`--port ${text} is no number of 1 to 65535`);
}
