import * as z from "zod";
import { connect, evidenceStore, now } from "../adapters/ports.ts";
import { snapshotBefore } from "../core/target/snapshot-before.ts";
import { Case, Cluster, Network, Target } from "./contract.ts";
import { state } from "./state.ts";

const store = evidenceStore();

const Input = z.object({ case: Case, target: Target, cluster: Cluster, network: Network });

export const handler = state("SnapshotBefore", Input, (input) =>
  snapshotBefore(input, { kubernetes: connect(input.cluster), store, now }),
);
