/** Whether anything of a process group still runs. */
import { readdirSync, readFileSync } from "node:fs";

/**
 * A zombie does not count: it holds its number until its parent collects it, which PID 1 of many
 * containers never does, and no signal changes that. Only Linux tells them apart (/proc).
 */
export function isGroupAlive(group: number): boolean {
  try {
    process.kill(-group, 0);
  } catch {
    return false; // ESRCH: no such group. It is our own, so EPERM cannot be.
  }
  if (process.platform !== "linux") return true;
  return readdirSync("/proc").some((pid) => /^\d+$/.test(pid) && isLivingMember(pid, group));
}

function isLivingMember(pid: string, group: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // "pid (name) state parent group ...", where the name may hold anything, parentheses too.
    const [state, , itsGroup] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(itsGroup) === group && state !== "Z" && state !== "X";
  } catch {
    return false; // it ended while we looked
  }
}
