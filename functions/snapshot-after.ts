import * as z from "zod";
import { connect, evidenceStore, now } from "../adapters/ports.ts";
import { snapshotAfter } from "../core/quarantine/snapshot-after.ts";
import { Case, Cluster } from "./contract.ts";
import { state } from "./state.ts";

const store = evidenceStore();

const Input = z.object({ case: Case, cluster: Cluster });

export const handler = state("SnapshotAfter", Input, (input) =>
  snapshotAfter(input, { kubernetes: connect(input.cluster), store, now }),
);
