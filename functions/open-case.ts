import * as z from "zod";
import { responseSettings, stage } from "../adapters/environment.ts";
import { evidenceStore, now } from "../adapters/ports.ts";
import { admitCase } from "../core/brakes/admit-case.ts";
import { Alert, Brake, KillSwitch, Mode, Target } from "./contract.ts";
import { state } from "./state.ts";

const { circuitBreaker } = responseSettings();
const ports = { store: evidenceStore(), circuitBreaker, stage: stage(), now };

const Input = z.object({
  alert: Alert,
  target: Target,
  mode: Mode,
  brakes: z.array(Brake),
  killSwitch: KillSwitch,
  reason: z.string(),
  event: z.unknown(),
});

export const handler = state("OpenCase", Input, (input, execution) =>
  admitCase({ ...input, execution }, ports),
);
