import * as z from "zod";
import { cluster, responseSettings } from "../adapters/environment.ts";
import { now } from "../adapters/ports.ts";
import { readEvent } from "../core/alert/read-event.ts";
import { triage } from "../core/alert/triage.ts";
import { state } from "./state.ts";

const stage = { cluster: cluster(), settings: responseSettings() };

/** The event as the bus delivered it; reading it is this state's work, so nothing is assumed. */
const Input = z.unknown();

export const handler = state("Triage", Input, async (event) =>
  triage(readEvent(event, stage.cluster), stage.settings, now()),
);
