/** The processes in which the stage's functions run, found through what Linux tells in /proc. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Of every function's process: the runtime of the emulated Lambda. */
const RUNTIME = "localemu_node/worker.mjs";

/** The function's process at the other end of a connection from this port of loopback. */
export function functionProcessAt(port: number): number {
  const inode = inodeOf(port);
  const pid = functionProcesses().find((each) => holds(each, inode));
  if (pid === undefined) throw new Error(`no function has a connection from port ${port}`);
  return pid;
}

/** Ends the idle processes of a function: its next call starts a new one. */
export function endProcessesOf(functionName: string): void {
  for (const pid of functionProcesses()) {
    const environment = read(`/proc/${pid}/environ`).split("\0");
    if (environment.includes(`AWS_LAMBDA_FUNCTION_NAME=${functionName}`)) end(pid);
  }
}

export function end(pid: number): void {
  process.kill(pid, "SIGKILL");
}

/** From now on the process gets no more memory than it has, and these bytes. */
export function starve(pid: number, spareBytes: number): void {
  const pages = Number(read(`/proc/${pid}/statm`).split(" ")[0]);
  const limit = pages * 4_096 + spareBytes;
  execFileSync("prlimit", ["--pid", String(pid), `--as=${limit}:${limit}`]);
}

function functionProcesses(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && read(`/proc/${name}/cmdline`).includes(RUNTIME))
    .map(Number);
}

function inodeOf(port: number): string {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const line = read("/proc/net/tcp")
    .split("\n")
    .map((each) => each.trim().split(/\s+/))
    .find(([, local]) => local === address);
  const inode = line?.[9];
  if (inode === undefined) throw new Error(`nobody has a connection from port ${port}`);
  return inode;
}

function holds(pid: number, inode: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some(
      (fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`,
    );
  } catch {
    return false; // it ended, or closed a file, while we looked
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it ended while we looked
  }
}
