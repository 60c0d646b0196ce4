import * as z from "zod";
import { connect, evidenceStore, now } from "../adapters/ports.ts";
import { applyPolicy } from "../core/quarantine/apply-policy.ts";
import { Alert, Case, Cluster, Mode, Target } from "./contract.ts";
import { state } from "./state.ts";

const store = evidenceStore();

const Input = z.object({ case: Case, alert: Alert, target: Target, mode: Mode, cluster: Cluster });

export const handler = state("ApplyPolicy", Input, (input) =>
  applyPolicy(input, { kubernetes: connect(input.cluster), store, now }),
);
