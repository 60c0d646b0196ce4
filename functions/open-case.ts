import * as z from "zod";
import { evidenceStore } from "../adapters/ports.ts";
import { openCase } from "../core/case/case.ts";
import { Alert, Mode, Target } from "./contract.ts";
import { state } from "./state.ts";

const store = evidenceStore();

const Input = z.object({
  alert: Alert,
  target: Target,
  mode: Mode,
  reason: z.string(),
  event: z.unknown(),
});

export const handler = state("OpenCase", Input, (input, execution) =>
  openCase({ ...input, execution }, store),
);
