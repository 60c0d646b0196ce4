import type { SSTConfig } from "sst";
import { composeStacks } from "./stacks/app.ts";
import { guard, readSettings } from "./stacks/preflight.ts";

export default {
  config({ stage = "local" }) {
    return { name: "eks-containment", region: readSettings(stage).region };
  },
  async stacks(app) {
    await guard(app);
    composeStacks(app);
  },
} satisfies SSTConfig;
