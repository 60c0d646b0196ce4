import type { SSTConfig } from "sst";
import { composeStacks } from "./stacks/app.ts";
import { assertDeployable, settingsFor } from "./stages.ts";

export default {
  config({ stage = "local" }) {
    return { name: "eks-containment", region: settingsFor(stage).region };
  },
  stacks(app) {
    assertDeployable(app.stage, settingsFor(app.stage));
    composeStacks(app);
  },
} satisfies SSTConfig;
