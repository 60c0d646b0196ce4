/**
 * The leash: a tiny process between us and a command, so that nothing is left behind when we die,
 * even by SIGKILL. Run as `node leash-process.ts GRACE_MS -- COMMAND ARGUMENT...` by `leash.ts`.
 *
 * Its stdin is a pipe whose other end only we hold. When that ends, or on SIGTERM, SIGINT or SIGHUP,
 * the command's whole process group gets SIGTERM, after the grace period SIGKILL, and only when the
 * group is empty does the leash end. What the command leaves in its group when it ends by itself is
 * ended in the same way. A process that leaves the group (setsid) is out of reach.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { isGroupAlive } from "./process-group.ts";

/** SIGKILL cannot be refused, but a process in an uninterruptible read dies late. */
const killedWithinMs = 2_000;
const pollMs = 20;

const [grace, , command, ...commandArguments] = process.argv.slice(2);
if (grace === undefined || command === undefined) {
  throw new Error("usage: leash-process.ts GRACE_MS -- COMMAND ARGUMENT...");
}

const child = spawn(command, commandArguments, {
  detached: true, // a process group of its own
  stdio: ["ignore", "inherit", "inherit"],
});
const group = child.pid;

let ending: Promise<void> | undefined;

function endGroup(): Promise<void> {
  ending ??= (async () => {
    signalGroup("SIGTERM");
    if (await groupEmptyWithin(Number(grace))) return;
    signalGroup("SIGKILL");
    await groupEmptyWithin(killedWithinMs);
  })();
  return ending;
}

function signalGroup(signal: NodeJS.Signals): void {
  if (group === undefined) return;
  try {
    process.kill(-group, signal);
  } catch {
    // Nobody left to signal.
  }
}

async function groupEmptyWithin(limitMs: number): Promise<boolean> {
  const deadline = performance.now() + limitMs;
  while (group !== undefined && isGroupAlive(group)) {
    if (performance.now() > deadline) return false;
    await delay(pollMs);
  }
  return true;
}

child.once("error", (error) => {
  console.error(`Could not start ${command}: ${error.message}`);
  process.exit(127);
});
child.once("exit", async (code, signal) => {
  await endGroup();
  process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
});

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, endGroup);
for (const event of ["end", "error", "close"]) process.stdin.on(event, endGroup);
process.stdin.resume();
