import * as z from "zod";
import { clusters, connect, evidenceStore, now } from "../adapters/ports.ts";
import { authenticate } from "../core/cluster/authenticate.ts";
import { Case, Target } from "./contract.ts";
import { state } from "./state.ts";

const ports = { clusters: clusters(), connect, store: evidenceStore(), now };

const Input = z.object({ case: Case, target: Target });

export const handler = state("Authenticate", Input, (input) => authenticate(input, ports));
