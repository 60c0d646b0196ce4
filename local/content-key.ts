/** A key that changes exactly when the sources of a build change. */
import { createHash } from "node:crypto";
import { lstat, readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";

/** What no build reads: what tools leave beside sources, tests, documentation. */
const unread =
  /^(__pycache__|\.pytest_cache|node_modules|\.git|build|test_.*\.py)$|(_test\.go|\.(md|pyc|egg-info|log))$/;

/**
 * The first 16 hex digits of SHA-256 over the salts and over path, length and bytes of every regular
 * file under the sources that a build may read, in the order of their relative paths.
 */
export async function contentKey(
  sources: readonly string[],
  salts: readonly string[],
): Promise<string> {
  const hash = createHash("sha256");
  const add = (bytes: string | Buffer) => {
    hash.update(`${Buffer.byteLength(bytes)}:`);
    hash.update(bytes);
  };
  for (const salt of salts) add(salt);
  for (const source of sources) {
    const files = await filesOf(source, basename(source));
    files.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const file of files) {
      add(file.name);
      add(await readFile(file.path));
    }
  }
  return hash.digest("hex").slice(0, 16);
}

async function filesOf(path: string, name: string): Promise<{ name: string; path: string }[]> {
  const entry = await lstat(path);
  if (entry.isFile()) return [{ name, path }];
  if (!entry.isDirectory()) return [];
  const children = (await readdir(path)).filter((child) => !unread.test(child));
  const nested = await Promise.all(
    children.map((child) => filesOf(join(path, child), `${name}/${child}`)),
  );
  return nested.flat();
}
