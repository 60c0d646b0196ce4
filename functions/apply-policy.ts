import * as z from "zod";
import { quarantineSettings, responseSettings } from "../adapters/environment.ts";
import { connect, evidenceStore, now } from "../adapters/ports.ts";
import { applyPolicy } from "../core/quarantine/apply-policy.ts";
import { Alert, Brake, Case, Cluster, KillSwitch, Mode, Network, Target } from "./contract.ts";
import { state } from "./state.ts";

const { protectedLabels } = responseSettings();
const ports = { store: evidenceStore(), settings: quarantineSettings(), protectedLabels, now };

const Input = z.object({
  case: Case,
  alert: Alert,
  target: Target,
  mode: Mode,
  brakes: z.array(Brake),
  killSwitch: KillSwitch,
  cluster: Cluster,
  network: Network,
});

export const handler = state("ApplyPolicy", Input, (input, execution) =>
  applyPolicy({ ...input, execution }, { ...ports, kubernetes: connect(input.cluster) }),
);
