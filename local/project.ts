/**
 * Where the project and its caches lie, derived from this file and not from the working folder:
 * the local stage is started from anywhere.
 */
import { dirname, join } from "node:path";

export const projectRoot = dirname(import.meta.dirname);
export const cacheFolder = join(projectRoot, ".cache");
export const nodeModules = join(projectRoot, "node_modules");

/** Receives one line for the person who waits. */
export type Progress = (line: string) => void;
