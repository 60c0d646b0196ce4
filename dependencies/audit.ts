/**
 * `npm run audit`: known vulnerabilities and licences of what is deployed. Exit code 1 on a finding.
 * A registry that keeps no advisories (a mirror) is said to be one and fails nothing: CI must run
 * there too, and nobody must take its silence for a clean bill.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readAudit } from "./findings.ts";
import { licencesOf } from "./licences.ts";

const root = join(import.meta.dirname, "..");

const { stdout } = spawnSync(
  "npm",
  ["audit", "--omit=dev", "--json", "--fetch-retries=0", "--fetch-timeout=20000"],
  { cwd: root, encoding: "utf8", timeout: 120_000 },
);
const audit = readAudit(stdout ?? "");
if (!audit.answered) {
  console.log(`vulnerabilities: NOT AUDITED, the registry has no advisories (${audit.why})`);
} else {
  const { packages, failing, told } = audit;
  for (const line of [...failing, ...told]) console.log(`  ${line}`);
  console.log(
    `vulnerabilities: ${failing.length} that fail, ${told.length} others, ${packages} packages`,
  );
  if (failing.length > 0) process.exitCode = 1;
}

const lockfile: unknown = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
const { packages, refused } = licencesOf(lockfile);
for (const line of refused) console.log(`  ${line}`);
console.log(`licences: ${refused.length} not accepted, ${packages} packages`);
if (refused.length > 0) process.exitCode = 1;
