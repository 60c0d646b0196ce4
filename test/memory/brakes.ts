import type { KillSwitch } from "../../core/brakes/kill-switch.ts";
import type { ProtectedLabels } from "../../core/brakes/protected-label.ts";

const name = "/eks-containment/prod/kill-switch";

export const RELEASED: KillSwitch = { name, value: "released" };
export const ENGAGED: KillSwitch = { name, value: "engaged" };

/** What a state is given of the brakes while none holds. */
export const UNBRAKED = { brakes: [], killSwitch: RELEASED } as const;

/** As the settings have it where nothing is written. */
export const PROTECTED_LABELS: ProtectedLabels = {
  labels: { "eks-containment/protected": "true" },
  on: ["namespace"],
};
