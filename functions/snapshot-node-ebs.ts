import * as z from "zod";
import { preservationSettings, snapshotLock } from "../adapters/environment.ts";
import { announcements, connect, evidenceStore, now, volumes } from "../adapters/ports.ts";
import { snapshotNodeEbs } from "../core/node/snapshot-node-ebs.ts";
import { Case, Cluster, KillSwitch, Mode, Target } from "./contract.ts";
import { state } from "./state.ts";

const ports = {
  volumes: volumes(),
  store: evidenceStore(),
  announcements: announcements(),
  lock: snapshotLock(),
  forensicAccount: preservationSettings().forensicCopy,
  now,
};

const Input = z.object({
  case: Case,
  target: Target,
  mode: Mode,
  killSwitch: KillSwitch,
  cluster: Cluster,
  applied: z.object({ uid: z.string() }),
  attempt: z.number(),
});

export const handler = state("SnapshotNodeEbs", Input, (input) =>
  snapshotNodeEbs(
    { ...input, uid: input.applied.uid },
    { ...ports, kubernetes: connect(input.cluster) },
  ),
);
