import * as z from "zod";
import { evidenceStore, now } from "../adapters/ports.ts";
import { recordContext } from "../core/context/record-context.ts";
import { Case, Missing } from "./contract.ts";
import { state } from "./state.ts";

const ports = { store: evidenceStore(), now };

const Input = z.object({
  case: Case,
  aws: z.object({
    trail: z.array(z.unknown()),
    findings: z.array(z.unknown()),
    nodeProfile: z.unknown(),
    auditLog: z.unknown(),
    missing: z.array(Missing),
  }),
});

export const handler = state("RecordContext", Input, (input) => recordContext(input, ports));
