import * as z from "zod";
import { preservationSettings } from "../adapters/environment.ts";
import { evidenceStore, now, volumes } from "../adapters/ports.ts";
import { followSnapshots } from "../core/node/follow-snapshots.ts";
import { Case } from "./contract.ts";
import { state } from "./state.ts";

const bound = preservationSettings().followSnapshotsSeconds;
const ports = { volumes: volumes(), store: evidenceStore(), bound, now };

const Input = z.object({ case: Case, followed: z.object({ since: z.string().nullable() }) });

export const handler = state("FollowSnapshots", Input, (input) =>
  followSnapshots({ case: input.case, since: input.followed.since }, ports),
);
