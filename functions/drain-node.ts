import * as z from "zod";
import { cluster } from "../adapters/environment.ts";
import { clusters, connect, evidenceStore, now } from "../adapters/ports.ts";
import { drainNode } from "../core/node/drain-node.ts";
import { Case, KillSwitch } from "./contract.ts";
import { state } from "./state.ts";

const ports = { clusters: clusters(), connect, store: evidenceStore(), now };
const { name } = cluster();

const Input = z.object({
  /** The run that contained. */
  case: Case,
  reason: z.string(),
  since: z.iso.datetime().nullable(),
  killSwitch: KillSwitch,
});

export const handler = state("DrainNode", Input, (input, execution) =>
  drainNode({ ...input, execution, cluster: name }, ports),
);
