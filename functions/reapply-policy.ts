import * as z from "zod";
import { connect, evidenceStore, now } from "../adapters/ports.ts";
import { reapplyPolicy } from "../core/reverify/reapply-policy.ts";
import { Cluster } from "./contract.ts";
import { state } from "./state.ts";

const ports = { store: evidenceStore(), now };

const Input = z.object({ marker: z.string(), cluster: Cluster, mayReapply: z.number() });

export const handler = state("ReapplyPolicy", Input, (input, execution) =>
  reapplyPolicy(
    { marker: input.marker, number: input.mayReapply, execution },
    { ...ports, kubernetes: connect(input.cluster) },
  ),
);
