import type { StateName } from "../../../functions/contract.ts";
import { type Playbook, playbookOf } from "../playbook.ts";
import type { Undisturbed } from "../undisturbed.ts";
import { containTrial } from "./contain.ts";
import { drainTrial } from "./drain.ts";
import { recordFailureTrial } from "./record-failure.ts";
import { reverifyTrial } from "./reverify.ts";
import type { Stand, Trial } from "./trial.ts";

type Prepare = (
  state: StateName,
  stand: Stand,
  undisturbed: Pick<Undisturbed, "gaps">,
) => Promise<Trial>;

const TRIALS: Readonly<Record<Playbook, Prepare>> = {
  contain: (state, stand, undisturbed) =>
    containTrial(stand, state === "RecordIgnored" ? "aTest" : "aPod", undisturbed),
  reverify: (state, stand) =>
    reverifyTrial(stand, state === "ListOpenCases" ? "everyCase" : "theCase"),
  drain: (_, stand) => drainTrial(stand),
  "record-failure": (_, stand) => recordFailureTrial(stand),
};

/** An execution that comes to the state, about to start. */
export const trialOf: Prepare = (state, stand, undisturbed) =>
  TRIALS[playbookOf(state)](state, stand, undisturbed);
