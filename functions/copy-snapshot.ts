import * as z from "zod";
import { snapshotLock } from "../adapters/environment.ts";
import { snapshotCopies, volumes } from "../adapters/ports.ts";
import { copySnapshot } from "../core/node/copy-snapshot.ts";
import { state } from "./state.ts";

const ports = { copies: snapshotCopies(), volumes: volumes(), lock: snapshotLock() };

const Input = z.object({
  snapshotId: z.string().regex(/^snap-[0-9a-f]+$/, "is no snapshot's id"),
  account: z.string(),
  region: z.string(),
  tags: z.record(z.string(), z.string()),
  redrives: z.number(),
});

export const handler = state("CopySnapshot", Input, (input) => copySnapshot(input, ports));
