import * as z from "zod";
import { connect, evidenceStore, identities, now } from "../adapters/ports.ts";
import { within } from "../adapters/within.ts";
import { previewCredentials } from "../core/credentials/preview-credentials.ts";
import { Case, Cluster, Target } from "./contract.ts";
import { state } from "./state.ts";

const ports = { store: evidenceStore(), identities: identities(), within, now };

const Input = z.object({
  case: Case,
  target: Target,
  cluster: Cluster,
  applied: z.object({ uid: z.string() }),
});

export const handler = state("PreviewCredentials", Input, (input) =>
  previewCredentials(
    { ...input, uid: input.applied.uid },
    { ...ports, kubernetes: connect(input.cluster) },
  ),
);
