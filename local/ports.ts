/** Free loopback ports for the servers of a stage. */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * Below the ephemeral ranges of Linux (32768-60999) and macOS (49152-65535): a port that the kernel
 * hands to some outgoing connection between our look and the server's bind would be lost.
 */
const lowest = 20_000;
const highest = 30_000;
const attempts = 100;

/** Picks `count` different ports of 127.0.0.1 that nobody listens on. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let attempt = 0; attempt < attempts && found.size < count; attempt++) {
    const port = randomInt(lowest, highest);
    if (await isFree(port)) found.add(port);
  }
  if (found.size < count) throw new Error(`No free port between ${lowest} and ${highest}`);
  return [...found];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
