import type { SSTConfig } from "sst";
import { composeForensicStacks, composeStacks } from "./stacks/app.ts";
import { guard, readRegion } from "./stacks/preflight.ts";
import { forensicSettingsFor } from "./stages.ts";

export default {
  config({ stage = "local" }) {
    return { name: "eks-containment", region: readRegion(stage) };
  },
  async stacks(app) {
    await guard(app);
    if (forensicSettingsFor(app.stage)) composeForensicStacks(app);
    else composeStacks(app);
  },
} satisfies SSTConfig;
