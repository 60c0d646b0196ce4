import * as z from "zod";

/** Licences under which the product may carry what it deploys: permissive ones. */
const ACCEPTED = new Set([
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "MIT-0",
]);

const Lockfile = z.object({
  packages: z.record(
    z.string(),
    z.object({ license: z.string().optional(), dev: z.boolean().optional() }),
  ),
});

export interface Licences {
  /** Production packages, those of packages included. */
  readonly packages: number;
  /** One line for each whose licence nobody has accepted, or that names none. */
  readonly refused: readonly string[];
}

/** Reads the licences of production packages out of package-lock.json. */
export function licencesOf(lockfile: unknown): Licences {
  const production = Object.entries(Lockfile.parse(lockfile).packages).filter(
    ([path, { dev }]) => path !== "" && dev !== true,
  );
  const refused = production
    .filter(([, { license }]) => license === undefined || !ACCEPTED.has(license))
    .map(([path, { license }]) => `${path.replace(/^node_modules\//, "")}: ${license ?? "none"}`);
  return { packages: production.length, refused };
}
