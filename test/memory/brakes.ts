import type { KillSwitch } from "../../core/brakes/kill-switch.ts";

const name = "/eks-containment/prod/kill-switch";

export const RELEASED: KillSwitch = { name, value: "released" };
export const ENGAGED: KillSwitch = { name, value: "engaged" };

/** What a state is given of the brakes while none holds. */
export const UNBRAKED = { brakes: [], killSwitch: RELEASED } as const;
