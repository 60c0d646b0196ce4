import * as z from "zod";
import { connect, evidenceStore, now } from "../adapters/ports.ts";
import { within } from "../adapters/within.ts";
import { captureContext } from "../core/context/capture-context.ts";
import { Case, Cluster, Target } from "./contract.ts";
import { state } from "./state.ts";

const ports = { store: evidenceStore(), within, now };

const Input = z.object({
  case: Case,
  target: Target,
  cluster: Cluster,
  applied: z.object({ uid: z.string() }),
});

export const handler = state("CaptureContext", Input, (input) =>
  captureContext(
    { ...input, uid: input.applied.uid },
    { ...ports, kubernetes: connect(input.cluster) },
  ),
);
