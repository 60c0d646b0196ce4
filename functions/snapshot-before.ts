import * as z from "zod";
import { connect, evidenceStore, now } from "../adapters/ports.ts";
import { within } from "../adapters/within.ts";
import { snapshotBefore } from "../core/target/snapshot-before.ts";
import { Case, Cluster, Network, Target } from "./contract.ts";
import { state } from "./state.ts";

const ports = { store: evidenceStore(), within, now };

const Input = z.object({
  case: Case,
  target: Target,
  cluster: Cluster,
  network: Network,
  evidenceUntil: z.iso.datetime(),
});

export const handler = state("SnapshotBefore", Input, (input) =>
  snapshotBefore(input, { ...ports, kubernetes: connect(input.cluster) }),
);
