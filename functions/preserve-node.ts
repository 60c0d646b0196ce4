import * as z from "zod";
import { preservationSettings } from "../adapters/environment.ts";
import { connect, evidenceStore, instances, now } from "../adapters/ports.ts";
import { preserveNode } from "../core/node/preserve-node.ts";
import { Case, Cluster, KillSwitch, Mode, Target } from "./contract.ts";
import { state } from "./state.ts";

const settings = preservationSettings();
const ports = { instances: instances(), store: evidenceStore(), settings, now };

const Input = z.object({
  case: Case,
  target: Target,
  mode: Mode,
  killSwitch: KillSwitch,
  cluster: Cluster,
  applied: z.object({ uid: z.string() }),
  attempt: z.number(),
});

export const handler = state("PreserveNode", Input, (input) =>
  preserveNode(
    { ...input, uid: input.applied.uid },
    { ...ports, kubernetes: connect(input.cluster) },
  ),
);
