import * as z from "zod";
import { evidenceStore } from "../adapters/ports.ts";
import { recordIgnored } from "../core/case/case.ts";
import { Alert } from "./contract.ts";
import { state } from "./state.ts";

const store = evidenceStore();

const Input = z.object({ reason: z.string(), alert: Alert.nullable(), event: z.unknown() });

export const handler = state("RecordIgnored", Input, async (input, execution) => ({
  outcome: "ignored",
  reason: input.reason,
  evidence: await recordIgnored({ ...input, execution }, store),
}));
