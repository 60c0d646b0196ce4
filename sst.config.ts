import type { SSTConfig } from "sst";
import { BUNDLING } from "./stacks/bundling.ts";
import { cluster } from "./stacks/cluster.ts";
import { detection } from "./stacks/detection.ts";
import { evidence } from "./stacks/evidence.ts";
import { playbook } from "./stacks/playbook.ts";
import { assertDeployable, settingsFor } from "./stages.ts";

export default {
  config({ stage = "local" }) {
    return { name: "eks-containment", region: settingsFor(stage).region };
  },
  stacks(app) {
    assertDeployable(app.stage, settingsFor(app.stage));
    app.setDefaultFunctionProps({
      runtime: "nodejs24.x",
      architecture: "arm_64",
      nodejs: BUNDLING,
    });
    app.stack(evidence).stack(cluster).stack(playbook).stack(detection);
  },
} satisfies SSTConfig;
