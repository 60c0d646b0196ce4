import * as z from "zod";
import { productVersion } from "../adapters/environment.ts";
import { evidenceStore, now } from "../adapters/ports.ts";
import { recordDrain } from "../core/node/record-drain.ts";
import { Artefact, Case } from "./contract.ts";
import { state } from "./state.ts";

const ports = { store: evidenceStore(), productVersion: productVersion(), now };

/** What DrainNode answered last. */
const Input = z.object({
  drained: z.object({ case: Case, artefacts: z.array(Artefact) }),
});

export const handler = state("RecordDrain", Input, ({ drained }, execution) =>
  recordDrain({ ...drained, execution }, ports),
);
